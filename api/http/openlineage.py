"""What an OpenLineage 2-0-2 event must have before it is stored.

The core of the specification (https://openlineage.io/spec/2-0-2/OpenLineage.json), written as pydantic models:
required members, types and formats of events, runs, jobs, datasets, and of each facet its ``_producer`` and
``_schemaURL``. What a facet says beyond that is its own schema's business and is stored as it came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from governance.errors import WrongQuestion

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x1f\"<>\\^`{|}]*")
_UUID = r"^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"


class InvalidEvent(WrongQuestion):
    """The body is not an OpenLineage event."""


def _moment(text: str) -> str:
    if not _RFC3339.fullmatch(text):
        raise ValueError("expected an RFC 3339 time with Z or an offset, such as 2026-03-01T10:00:00Z")
    datetime.fromisoformat(text.upper().replace("Z", "+00:00")[:19])
    return text


def _uri(text: str) -> str:
    if not _URI.fullmatch(text):
        raise ValueError("expected an absolute URI")
    return text


Moment = Annotated[str, AfterValidator(_moment)]
Uri = Annotated[str, AfterValidator(_uri)]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", frozen=True)


class Facet(_Model):
    """Any facet: who produced it, and the schema it follows."""

    producer: Uri = Field(alias="_producer")
    schema_url: Uri = Field(alias="_schemaURL")


Facets = dict[str, Facet]


class EventType(StrEnum):
    """Transitions of a run."""

    START = "START"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    ABORT = "ABORT"
    FAIL = "FAIL"
    OTHER = "OTHER"


class Run(_Model):
    """One execution."""

    run_id: Annotated[str, Field(alias="runId", pattern=_UUID)]
    facets: Facets = {}


class Job(_Model):
    """What was executed."""

    namespace: str
    name: str
    facets: Facets = {}


class Dataset(_Model):
    """What was read, written or described."""

    namespace: str
    name: str
    facets: Facets = {}
    input_facets: Facets = Field({}, alias="inputFacets")
    output_facets: Facets = Field({}, alias="outputFacets")


class _Event(_Model):
    event_time: Moment = Field(alias="eventTime")
    producer: Uri
    schema_url: Uri = Field(alias="schemaURL")


class JobEvent(_Event):
    """Metadata of a job, outside any run."""

    job: Job
    inputs: list[Dataset] = []
    outputs: list[Dataset] = []


class RunEvent(JobEvent):
    """A transition of a run."""

    run: Run
    event_type: Annotated[EventType | None, Field(alias="eventType", strict=False)] = None


class DatasetEvent(_Event):
    """Metadata of a dataset, outside any run."""

    dataset: Dataset


def read_event(event: Mapping[str, Any]) -> RunEvent | JobEvent | DatasetEvent:
    """``event`` as what it says it is. Raises InvalidEvent, naming member and reason."""
    try:
        return _kind(event).model_validate(dict(event))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the event"
        raise InvalidEvent(
            f"Not an OpenLineage 2-0-2 event: {where}: {first['msg']}. See https://openlineage.io/spec/2-0-2/OpenLineage.json."
        ) from error


def _kind(event: Mapping[str, Any]) -> type[RunEvent | JobEvent | DatasetEvent]:
    """A run needs its job; an event about a job alone must not be about a dataset as well (``oneOf`` in the schema)."""
    if "run" in event and "job" in event:
        return RunEvent
    if "job" in event and "dataset" not in event:
        return JobEvent
    if "dataset" in event and "job" not in event:
        return DatasetEvent
    raise InvalidEvent(
        "Not an OpenLineage 2-0-2 event: expected `run` with `job`, or `job` alone, or `dataset` alone;"
        f" found the members {', '.join(sorted(event)) or '(none)'}."
    )
