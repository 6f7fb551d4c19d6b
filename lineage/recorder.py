"""The recorder: what was done becomes a signed statement, an event and an outbox row, in one transaction.

Recording is part of the act. Whoever calls :meth:`Recorder.record` does so before the data leaves, and keeps the
data back on any exception from here.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Engine, ForeignKey, LargeBinary, String, Table, insert

from governance.canonical import canonical_json, rfc3339, utc_now
from lineage import runs
from lineage.database import metadata
from lineage.errors import RunEnded
from lineage.outbox import Seal, enqueue

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"

subject_index = Table(
    "subject",
    metadata,
    Column("outbox_id", String(36), ForeignKey("outbox.id"), primary_key=True),
    Column("name", String(300), primary_key=True),
    Column("algorithm", String(40), nullable=False),
    Column("digest", String(128), nullable=False, index=True),
)

event_log = Table(
    "event",
    metadata,
    Column("outbox_id", String(36), ForeignKey("outbox.id"), primary_key=True),
    Column("run_id", String(36), nullable=False, index=True),
    Column("type", String(10), nullable=False),
    Column("time", String(40), nullable=False),
    Column("body", LargeBinary, nullable=False),
)


def predicate_type(kind: str) -> str:
    """The identifier of our own predicate for acts of this kind."""
    return f"https://provender.example/predicates/{kind}/v1"


@dataclass(frozen=True)
class Subject:
    """What a statement is about."""

    name: str
    algorithm: str
    """``td1-sha256``, ``oms1-sha256``, ``definitions-sha256``, ``policy-sha256``, ``request-sha256``, or ``random`` (a
    small snapshot)."""
    digest: str
    """lower-case hex"""


@dataclass(frozen=True)
class Act:
    """Something that was done and is now to be recorded."""

    kind: str
    actor: str
    """The plain name; only its pseudonym is written."""
    subjects: tuple[Subject, ...]
    predicate: Mapping[str, Any]
    type: str | None = None
    """The predicate type where it is not our own for this kind."""
    event: Mapping[str, Any] | None = None
    """The OpenLineage event of the act, which also becomes part of the predicate."""
    run: str | None = None
    opens: bool = False
    """The run goes on after this act; unless another act closes it, it counts as aborted."""
    closes: bool = False
    """The run ends with this act; a run ends once."""


class Recorder:
    """Writes acts into the catalogue.

    :param seal: signs statements and commits to them.
    :param after: called after each commit (the ledger's sequencer); its failure is the caller's to hear.
    """

    def __init__(
        self, engine: Engine, seal: Seal, *, after: Callable[[], object], clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._engine, self._seal, self._after, self._clock = engine, seal, after, clock

    def record(self, *acts: Act) -> tuple[str, ...]:
        """Record all of ``acts`` or none; gives their record ids in order.

        :raises RunEnded: an act closes a run that is not open (any more); nothing was recorded.

        What ``after`` raises comes through when the acts stand recorded already: they happened, their result
        must still not be handed out.
        """
        ids = self._written(acts)
        self._after()
        return ids

    def announce(self, act: Act) -> str:
        """Record an act that gives nothing out and that another one will follow soon, such as the start of a run.

        It is as durable as any other, but ``after`` is left to the next act that is recorded.
        """
        (record,) = self._written([act])
        return record

    def _written(self, acts: Iterable[Act]) -> tuple[str, ...]:
        with self._engine.begin() as connection:
            return tuple(self._write(connection, act) for act in acts)

    def _write(self, connection: Connection, act: Act) -> str:
        if act.run is not None and act.closes and not runs.close_run(connection, run=act.run):
            raise RunEnded(
                f"Run {act.run} is not open: it has ended, or was never started. Expected one end of each run; nothing"
                " was recorded now. What was recorded of the run stands."
            )
        record, moment = str(uuid.uuid4()), rfc3339(self._clock())
        actor = self._seal.pseudonym(act.actor)
        predicate = {**act.predicate, "recorded": {"id": record, "kind": act.kind, "time": moment, "actor": actor}}
        if act.event is not None:
            predicate["event"] = act.event
        sealed = self._seal(_statement(act, predicate), actor=act.actor)
        enqueue(connection, id=record, kind=act.kind, time=moment, sealed=sealed)
        connection.execute(
            insert(subject_index),
            [{"outbox_id": record, "name": s.name, "algorithm": s.algorithm, "digest": s.digest} for s in act.subjects],
        )
        if act.event is not None:
            connection.execute(insert(event_log), {"outbox_id": record, **_event_row(act.event)})
        if act.run is not None and act.opens:
            runs.open_run(connection, run=act.run, kind=act.kind, opened=moment)
        return record


def _statement(act: Act, predicate: Mapping[str, Any]) -> dict[str, Any]:
    if not act.subjects:
        raise ValueError(f"an act of kind {act.kind} about nothing: an in-toto statement has at least one subject")
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": s.name, "digest": {s.algorithm: s.digest}} for s in act.subjects],
        "predicateType": act.type or predicate_type(act.kind),
        "predicate": dict(predicate),
    }


def _event_row(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "run_id": event["run"]["runId"],
        "type": event.get("eventType", "OTHER"),
        "time": event["eventTime"],
        "body": canonical_json(event),
    }
