"""Whether the tables by which records are found (``subject``, ``event``) say what the signed statements say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select

from audit.verify.statement import Statement
from audit.verify.values import find, text
from governance.canonical import canonical_json
from lineage.recorder import event_log, subject_index


def changed_rows(connection: Connection, signed: Sequence[Statement]) -> Iterator[tuple[str, str]]:
    """(record, what is wrong) for each statement whose index rows are not those that follow from it."""
    ids = [each.id for each in signed]
    subjects: dict[str, set[Any]] = {each: set() for each in ids}
    events: dict[str, set[Any]] = {each: set() for each in ids}
    for row in connection.execute(select(subject_index).where(subject_index.c.outbox_id.in_(ids))):
        subjects[row.outbox_id].add((row.name, row.algorithm, row.digest))
    for row in connection.execute(select(event_log).where(event_log.c.outbox_id.in_(ids))):
        events[row.outbox_id].add((row.run_id, row.type, row.time, row.body))
    for each in signed:
        if subjects[each.id] != set(each.subjects):
            yield each.id, f"record {each.id} is not found under the subjects that its statement names"
        if events[each.id] != _events(each):
            yield each.id, f"the event of record {each.id} is not the one in its statement"


def _events(signed: Statement) -> set[Any]:
    event = find(signed.predicate, "event")
    if not isinstance(event, dict):
        return set()
    kind = text(event, "eventType") or "OTHER"
    return {(text(event, "run", "runId"), kind, text(event, "eventTime"), canonical_json(event))}
