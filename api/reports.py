"""Reports and bundles of one repository, from its records and its ledger; what every door that asks for them calls."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from api.assembly import Provender, process_actor
from governance.canonical import canonical_json, rfc3339, utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from api.http.services import ReceivedEvent, Services
    from audit.evidence import Evidence
    from audit.report import EndpointSummary, Report


def endpoint_list(parts: Provender) -> tuple[EndpointSummary, ...]:
    """Every endpoint that was ever recorded, by name."""
    from audit.evidence import statement_of
    from audit.report import endpoint_summaries

    return endpoint_summaries(statement_of(record) for record in parts.records.all("deployment"))


def endpoint_report(parts: Provender, endpoint: str) -> Report:
    """The report of an endpoint as of now. Raises UnknownEndpoint."""
    return _report(parts, _evidence(parts, endpoint), utc_now())


def rendered(report: Report, *, form: str) -> bytes:
    """The report as ``html`` or ``json``."""
    if form == "json":
        return canonical_json(report.to_json())
    from audit.report.html import render_html

    return render_html(report).encode()


def write_endpoint_bundle(parts: Provender, endpoint: str, path: Path) -> None:
    """Write the bundle of an endpoint, whole or not at all, and only one that verifies.

    Raises UnknownEndpoint, BundleIncomplete, BundleRefused.
    """
    from audit.bundle import bundle_members, check_own_bundle, write_bundle

    evidence, moment = _evidence(parts, endpoint), utc_now()
    report = _report(parts, evidence, moment)
    html, document = rendered(report, form="html"), rendered(report, form="json")
    members = bundle_members(
        evidence, objects=parts.objects, report_html=html, report_json=document, keys=parts.keys, created=moment
    )
    write_bundle(path, members, check=partial(check_own_bundle, keys=parts.keys, origin=parts.settings.origin))


def http_services(parts: Provender) -> Services:
    """What the HTTP door asks for."""
    import lineage
    from api.http.services import Services

    facets = Path(str(lineage.__file__)).parent / "facets"
    return Services(
        endpoints=lambda: endpoint_list(parts),
        report=lambda name: endpoint_report(parts, name),
        checkpoint=lambda: _note(parts),
        record_event=_EventReceiver(parts),
        facets=facets,
    )


class _EventReceiver:
    """Records events of other producers, each once."""

    def __init__(self, parts: Provender) -> None:
        self._parts, self._lock = parts, Lock()

    def __call__(self, received: ReceivedEvent) -> bool:
        from lineage.recorder import Act, Subject

        with self._lock:  # two requests with one event must not both find it new
            if self._parts.records.by_subject("event-sha256", received.digest):
                return False
            subject = Subject(f"event:{received.kind}", "event-sha256", received.digest)
            act = Act(
                kind="event", actor=process_actor(), subjects=(subject,), predicate={"received": dict(received.event)}
            )
            self._parts.recorder.record(act)
        return True


def _note(parts: Provender) -> bytes | None:
    checkpoint = parts.ledger.checkpoint()
    return None if checkpoint is None else checkpoint.note


def _evidence(parts: Provender, endpoint: str) -> Evidence:
    from audit.evidence import gather

    parts.ledger.sequence()
    return gather(endpoint, records=parts.records, ledger=parts.ledger)


def _report(parts: Provender, evidence: Evidence, moment: datetime) -> Report:
    from audit.report import build_report
    from audit.verify.note import parse_checkpoint, parse_note

    size = parse_checkpoint(parse_note(evidence.checkpoint).text).size
    return build_report(
        evidence.chain,
        evidence.statements,
        as_of=rfc3339(moment),
        tree_size=size,
        origin=parts.settings.origin,
        checkpoint=evidence.checkpoint.decode(),
    )
