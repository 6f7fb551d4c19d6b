"""What the HTTP door asks of the cores. The assembly hands it over; nothing here opens a database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias, cast

from fastapi import Depends, Request

from audit.report import EndpointSummary, Report


@dataclass(frozen=True)
class ReceivedEvent:
    """One OpenLineage event that passed validation."""

    kind: str
    """run, job or dataset"""
    event: Mapping[str, Any]
    digest: str
    """hex SHA-256 of the event's RFC 8785 bytes: the same event has the same one, however it was spaced"""
    time: str
    """eventTime, as it was sent"""
    run: str | None
    """runId in lower case, or None for an event that is about no run"""


@dataclass(frozen=True)
class Services:
    """Everything that a request can need. Each callable may be called from several threads at once."""

    endpoints: Callable[[], Sequence[EndpointSummary]]
    """Every endpoint that was ever recorded, by name."""
    report: Callable[[str], Report]
    """The report of one endpoint as of now. Raises UnknownEndpoint."""
    checkpoint: Callable[[], bytes | None]
    """The last signed note of the ledger, exactly; None while it has none."""
    record_event: Callable[[ReceivedEvent], bool]
    """Store an event; False where an event of this digest is stored already."""
    facets: Path
    """Directory with the JSON schemas of our own facets, ``<Name>.json``."""


def _services(request: Request) -> Services:
    return cast("Services", request.app.state.services)


ServicesDep: TypeAlias = Annotated[Services, Depends(_services)]
"""The application's services, as a parameter of a route."""
