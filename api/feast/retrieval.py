"""A point-in-time retrieval as an act: verdict, START, execution, snapshot, COMPLETE (or DENIED, or FAIL)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from feast.feature_view import FeatureView
from feast.infra.offline_stores.offline_store import RetrievalJob

from api.assembly import Provender
from api.feast.distributed import WrittenChunks
from api.feast.feature_refs import judged_name
from api.feast.judging import verdict_now
from api.feast.pulled import PullRequest
from api.feast.request import RetrievalRequest
from api.feast.validation import held, limits_in, suites_of
from governance.assets import Definitions
from governance.canonical import rfc3339, utc_now
from governance.known import known_labels
from governance.verdict import Verdict
from lineage import events
from lineage.canonical_table import canonical_table
from lineage.errors import RetrievalBroken
from lineage.events import Dataset, Job, facet
from lineage.recorder import Act, Subject
from lineage.snapshots import Snapshot
from lineage.sources.state import SourceState

_SMALL = 2**20
"""bytes of a table of which threads would take longer to wait for each other than for their work"""


@dataclass(frozen=True)
class Retrieval:
    """One retrieval from its verdict to its record."""

    parts: Provender
    request: RetrievalRequest | PullRequest
    definitions: Definitions
    verdict: Verdict
    caller: str
    engine: Mapping[str, str]
    """name and version of the offline store"""
    run: str = field(default_factory=lambda: str(uuid.uuid4()))

    def deny(self, *, started: bool = False) -> None:
        """Record the refusal, which ends a run that has started, then raise Denied."""
        event = self._event("FAIL", facets=self._verdict_facet())
        self.parts.recorder.record(self._act("DENIED", event=event, closes=started))
        self.verdict.enforce()

    def ask_again(self) -> None:
        """Ask for the verdict once more, before rows are read. A no is recorded and ends the run; raises Denied."""
        asked, purpose = self.request.inputs(self.definitions), self.request.purpose
        now = verdict_now(self.parts, self.definitions, "retrieve", asked, purpose, caller=self.caller)
        if not now.allowed:
            replace(self, verdict=now).deny(started=True)

    def start(self) -> None:
        """Record that the run was allowed and begins."""
        self.parts.recorder.announce(
            self._act("START", event=self._event("START", facets=self._verdict_facet()), opens=True)
        )

    def fail(self, error: BaseException) -> None:
        """Record that the run ended without a result."""
        event = self._event("FAIL", facets=events.error_facet(error))
        extra = {"reason": type(error).__name__}
        self.parts.recorder.record(self._act("FAIL", event=event, closes=True, extra=extra))

    def execute(self, job: RetrievalJob, rows: int | None) -> pa.Table:
        """The engine's rows in canonical form. Raises RetrievalBroken, LossyCast, and whatever the engine raises."""
        keys = (self.request.timestamp, *self.request.join_keys)
        return canonical_table(job.to_arrow(), types=self.request.types(), rows=rows, keys=keys)

    def result(self, table: pa.Table, sources: tuple[SourceState, ...]) -> tuple[Snapshot, Act]:
        """Validate and store the canonical rows that were read from ``sources``; what is still to be recorded."""
        validation = self._validate(table) if table.nbytes < _SMALL else None
        with self.parts.snapshots.writing(table) as writing:  # digest and Parquet, while the suites run
            validation = self._validate(table) if validation is None else validation
            facts = {**self._facts(sources, table), "validation": validation}
            manifest = {**facts, **_statistics(table, self.request.timestamp), "created": rfc3339(utc_now())}
            snapshot, document = writing.put(run=self.run, manifest=manifest)
        return snapshot, self._completed(table.schema, snapshot, document, facts, sources)

    def result_of_chunks(self, chunks: WrittenChunks, sources: tuple[SourceState, ...]) -> tuple[Snapshot, Act]:
        """The same of rows that an engine has cast, hashed and written where they lie."""
        facts = {**self._facts(sources), "validation": self._validate(chunks.reader)}
        manifest = {**facts, **chunks.statistics, "created": rfc3339(utc_now())}
        store = self.parts.snapshots
        snapshot, document = store.put_parts(chunks.parts, chunks.content.digest, run=self.run, manifest=manifest)
        return snapshot, self._completed(chunks.schema, snapshot, document, facts, sources)

    def _completed(
        self,
        schema: pa.Schema,
        snapshot: Snapshot,
        document: bytes,
        facts: Mapping[str, Any],
        sources: tuple[SourceState, ...],
    ) -> Act:
        named = {**facts, "snapshot": snapshot.id, "rows": snapshot.rows, "manifest": sha256(document).hexdigest()}
        event = self._event("COMPLETE", inputs=sources, outputs=(self._output(schema, snapshot, named, sources),))
        return self._act("COMPLETE", event=event, closes=True, extra=named, subject=_subject(snapshot))

    def _facts(self, sources: tuple[SourceState, ...], answer: pa.Table | None = None) -> dict[str, Any]:
        return {
            "project": self.definitions.project,
            "definitions": self.definitions.digest,
            "request": self.request.document,
            "verdict": self._verdict_json,
            "sources": [source.as_json() for source in sources],
            "spine": self.request.spine_document(self.parts.settings.governance.min_rows, answer),
            "engine": dict(self.engine),
            "labels": self._labels,
        }

    def _validate(self, rows: pa.Table | Callable[[], pa.RecordBatchReader]) -> list[dict[str, Any]]:
        settings = self.parts.settings
        limits = limits_in(settings.document, settings.repo)
        return held(rows, self.request, self.definitions, repo=settings.repo, limits=limits)

    @cached_property
    def _labels(self) -> Any:
        asked = self.request.inputs(self.definitions)
        return known_labels(self.definitions, self.parts.policy(), asked, today=datetime.now(UTC).date()).as_json()

    @cached_property
    def _verdict_json(self) -> dict[str, Any]:
        whole = self.verdict.as_json()
        return {name: whole[name] for name in ("outcome", "policy", "findings", "exempted")}

    def _verdict_facet(self) -> dict[str, Any]:
        verdict = {name: self._verdict_json[name] for name in ("outcome", "policy", "findings")}
        request = {"features": sorted(self.request.refs), "definitions": self.definitions.digest}
        return {
            "provender_verdict": facet("ProvenderVerdictRunFacet", verdict),
            "provender_request": facet("ProvenderRequestRunFacet", request),
        }

    @cached_property
    def _digest(self) -> str:
        return self.request.digest

    @property
    def _name(self) -> str:
        return f"historical_features/{self._digest[:16]}"

    def _event(
        self,
        state: events.RunState,
        *,
        inputs: tuple[SourceState, ...] = (),
        outputs: tuple[Dataset, ...] = (),
        facets: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        job = Job(self.definitions.project, self._name, "RETRIEVAL")
        datasets = [events.source_dataset(source) for source in inputs]
        return events.run_event(state, run=self.run, job=job, inputs=datasets, outputs=outputs, run_facets=facets)

    def _output(
        self, schema: pa.Schema, snapshot: Snapshot, named: Mapping[str, Any], sources: tuple[SourceState, ...]
    ) -> Dataset:
        content = {"id": snapshot.id, "rows": snapshot.rows, "manifest": named["manifest"]}
        labels = {name: named["labels"][name] for name in ("residency", "pii", "purpose")}
        facets = {
            **events.version_facet(snapshot.id),
            **events.schema_facet([(column.name, str(column.type)) for column in schema]),
            **events.column_lineage_facet(self._column_lineage(sources)),
            "provender_snapshot": facet("ProvenderSnapshotDatasetFacet", content),
            "provender_labels": facet("ProvenderLabelsDatasetFacet", labels),
        }
        if named["validation"]:
            facets.update(events.assertions_facet(named["validation"]))
            facets["provender_validation"] = facet(
                "ProvenderValidationDatasetFacet", {"suites": suites_of(named["validation"])}
            )
        return Dataset(self.definitions.project, self._name, facets)

    def _column_lineage(self, sources: tuple[SourceState, ...]) -> dict[str, list[tuple[Dataset, str]]]:
        datasets = {source.name: events.source_dataset(source) for source in sources}
        made = {judged_name(view): _origin(view, datasets) for view in self.request.views}
        for view in self.request.on_demand:
            below = {one.name for one in view.source_feature_view_projections.values()}
            inputs = [each for name in sorted(below & made.keys()) for origin in made[name].values() for each in origin]
            made[judged_name(view)] = {feature.name: inputs for feature in view.features}
        return {
            column: made[view][feature]
            for view, feature, column in self.request.columns
            if feature in made.get(view, {})
        }

    def _act(
        self,
        state: str,
        *,
        event: Mapping[str, Any],
        opens: bool = False,
        closes: bool = False,
        extra: Mapping[str, Any] | None = None,
        subject: Subject | None = None,
    ) -> Act:
        basic = {
            "run": self.run,
            "state": state,
            "project": self.definitions.project,
            "definitions": self.definitions.digest,
            "request": self.request.document,
            "verdict": self._verdict_json,
        }
        about = subject or Subject(f"run:{self.run}", "request-sha256", self._digest)
        return Act(
            kind="retrieval",
            actor=self.caller,
            subjects=(about,),
            predicate={**basic, **(extra or {})},
            event=event,
            run=self.run,
            opens=opens,
            closes=closes,
        )


def _origin(view: FeatureView, datasets: Mapping[str, Dataset]) -> dict[str, list[tuple[Dataset, str]]]:
    """Feature → source column; empty for a view whose source is no batch source."""
    if view.batch_source is None:
        return {}
    theirs = {new: old for old, new in view.batch_source.field_mapping.items()}
    source = datasets[view.batch_source.name]
    return {feature.name: [(source, theirs.get(feature.name, feature.name))] for feature in view.features}


def _subject(snapshot: Snapshot) -> Subject:
    """The snapshot by its digest; a small one by its random name, because a digest could be guessed."""
    algorithm, digits = snapshot.id.split(":", 1)
    return Subject(f"snapshot:{snapshot.run_id}", algorithm, digits)


def _statistics(table: pa.Table, timestamp: str) -> dict[str, Any]:
    """Null counts, and the first and last event time."""
    nulls = {name: table.column(name).null_count for name in table.column_names}
    if timestamp not in table.column_names:
        raise RetrievalBroken(f"The engine's answer has no column {timestamp!r}. Expected the entity rows' timestamps.")
    ends = pc.min_max(table.column(timestamp)).as_py()
    times = [rfc3339(ends["min"]), rfc3339(ends["max"])] if ends["min"] is not None else None
    return {"nulls": nulls, "event_time": times}
