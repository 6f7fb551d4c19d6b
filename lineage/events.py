"""OpenLineage 2-0-2 events of retrievals, materializations, training runs and deployments.

Standard facets come from ``openlineage-python``; what OpenLineage has no word for is in facets of our own
(``provender_…``), whose JSON schemas stand in ``lineage/facets`` and are served by the API.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any, Literal

from governance.canonical import rfc3339, utc_now
from lineage.sources.state import SourceState

PRODUCER = "https://provender.example/provender"
FACETS = "https://provender.example/facets"

RunState = Literal["START", "RUNNING", "COMPLETE", "FAIL", "ABORT"]


@dataclass(frozen=True)
class Job:
    """The recurring thing of which a run is one execution."""

    namespace: str
    name: str
    type: str
    """``RETRIEVAL``, ``MATERIALIZATION``, ``TRAINING``, ``DEPLOYMENT`` or ``SERVING``"""


@dataclass(frozen=True)
class Dataset:
    """An input or output, with its facets as JSON."""

    namespace: str
    name: str
    facets: Mapping[str, Any] = field(default_factory=dict)


def facet(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """One of our own facets: ``name`` is the schema's, such as ``ProvenderSnapshotDatasetFacet``."""
    return {"_producer": PRODUCER, "_schemaURL": f"{FACETS}/{name}.json#/$defs/{name}", **values}


def run_event(
    state: RunState,
    *,
    run: str,
    job: Job,
    inputs: Iterable[Dataset] = (),
    outputs: Iterable[Dataset] = (),
    run_facets: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A complete RunEvent as JSON.

    :param run: the run's UUID
    """
    from openlineage.client import event_v2 as ol
    from openlineage.client.facet_v2 import job_type_job, processing_engine_run
    from openlineage.client.serde import Serde

    engine = processing_engine_run.ProcessingEngineRunFacet(
        version=_version("provender"),
        name="provender",
        openlineageAdapterVersion=_version("openlineage-python"),
        producer=PRODUCER,
    )
    kind = job_type_job.JobTypeJobFacet(
        processingType="BATCH", integration="PROVENDER", jobType=job.type, producer=PRODUCER
    )
    event = ol.RunEvent(
        eventTime=rfc3339(utc_now()),
        eventType=ol.RunState[state],
        run=ol.Run(runId=run, facets={"processing_engine": engine, **(run_facets or {})}),
        job=ol.Job(namespace=job.namespace, name=job.name, facets={"jobType": kind}),
        inputs=[ol.InputDataset(namespace=d.namespace, name=d.name, facets=dict(d.facets)) for d in inputs],
        outputs=[ol.OutputDataset(namespace=d.namespace, name=d.name, facets=dict(d.facets)) for d in outputs],
        producer=PRODUCER,
    )
    value: dict[str, Any] = Serde.to_dict(event)
    return value


_version = cache(version)
"""Version of an installed package, which costs a millisecond to look up."""


def error_facet(error: BaseException) -> dict[str, Any]:
    """What went wrong, by its type alone: a message could hold feature values, and an event must not."""
    from openlineage.client.facet_v2 import error_message_run

    return {
        "errorMessage": error_message_run.ErrorMessageRunFacet(
            message=type(error).__name__, programmingLanguage="python", producer=PRODUCER
        )
    }


def source_dataset(source: SourceState) -> Dataset:
    """A data source as an input: its files, objects or table version as the run saw them.

    Its name is what OpenLineage's naming rules ask for: ``file`` and the path, or the store's authority (without
    user and password) and what follows it.
    """
    scheme, authority, path = _split(source.uri or f"file://{source.name}")
    seen = {name: value for name, value in source.as_json().items() if name in ("state", "files", "table")}
    state = facet("ProvenderSourceStateDatasetFacet", seen)
    facets = {"provender_sourceState": state}
    if scheme == "file":
        return Dataset("file", authority + path, facets)
    return Dataset(f"{scheme}://{authority}", path.removeprefix("/") or authority, facets)


def _split(uri: str) -> tuple[str, str, str]:
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return "file", "", uri
    authority, slash, path = rest.partition("/")
    return scheme, authority.rpartition("@")[2], slash + path


def version_facet(identity: str) -> dict[str, Any]:
    """The standard version facet: the version of a snapshot or model is its digest."""
    from openlineage.client.facet_v2 import dataset_version_dataset

    return {"version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=identity, producer=PRODUCER)}


def schema_facet(columns: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Names and types of columns."""
    from openlineage.client.facet_v2 import schema_dataset as ol

    fields = [ol.SchemaDatasetFacetFields(name=name, type=type_) for name, type_ in columns]
    return {"schema": ol.SchemaDatasetFacet(fields=fields, producer=PRODUCER)}


def assertions_facet(validation: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Results of expectations, without a single value of the data."""
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as ol

    severity = {"critical": "error", "warning": "warn"}
    assertions = [
        ol.Assertion(
            assertion=one["expectation"],
            success=one["success"],
            column=one.get("column"),
            severity=severity.get(one["severity"], "warn"),
        )
        for one in validation
    ]
    return {"dataQualityAssertions": ol.DataQualityAssertionsDatasetFacet(assertions=assertions, producer=PRODUCER)}


def column_lineage_facet(columns: Mapping[str, Iterable[tuple[Dataset, str]]]) -> dict[str, Any]:
    """For each output column, the input columns it was made from."""
    from openlineage.client.facet_v2 import column_lineage_dataset as ol

    fields = {
        name: ol.Fields(
            inputFields=[ol.InputField(namespace=d.namespace, name=d.name, field=column) for d, column in inputs]
        )
        for name, inputs in columns.items()
    }
    return {"columnLineage": ol.ColumnLineageDatasetFacet(fields=fields, producer=PRODUCER)}
