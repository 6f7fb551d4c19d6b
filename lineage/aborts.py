"""Closing runs whose process is gone: the next recorder writes their ABORT."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, select

from lineage import runs
from lineage.errors import RunEnded
from lineage.events import Job, run_event
from lineage.outbox import outbox
from lineage.recorder import Act, Recorder, Subject, event_log, subject_index
from lineage.records import Records, StoredRecord
from lineage.runs import OpenRun
from lineage.training import FAILED_PREDICATE_TYPE

_TYPES = {"training": FAILED_PREDICATE_TYPE}
"""The predicate type of a run that gave nothing, where it is not that of the kind."""

_STATES = {"deployment": "ended"}
"""What the end of a run is called, where the kind has a word of its own."""


def close_abandoned(
    engine: Engine, records: Records, recorder: Recorder, *, actor: str, namespace: str
) -> tuple[str, ...]:
    """Record an ABORT for every open run of a process that is gone; gives the ids of those closed here.

    :param records: the checked reader: an ABORT repeats what its START says, and must not sign what was forged

    Several recorders may see the same run: the one that closes it in its transaction writes the ABORT, alone.
    """
    with engine.connect() as connection:
        gone = runs.abandoned(connection)
    return tuple(run.id for run in gone if _close(engine, records, recorder, run, actor=actor, namespace=namespace))


def _close(engine: Engine, records: Records, recorder: Recorder, run: OpenRun, *, actor: str, namespace: str) -> bool:
    known = records.by_run(run.id)
    started = next((one for one in known if _begins(one)), None)
    kind = run.kind.removesuffix("-start")
    act = Act(
        kind=kind,
        actor=actor,
        subjects=(_subject(engine, run),),
        predicate={**_asked(started), **_ended(run, kind, last=known[-1].time if known else run.opened)},
        type=_TYPES.get(kind),
        event=run_event("ABORT", run=run.id, job=_job(started, kind, namespace)),
        run=run.id,
        closes=True,
    )
    try:
        recorder.record(act)
    except RunEnded:
        return False
    return True


def _begins(record: StoredRecord) -> bool:
    return bool(record.predicate["event"]["eventType"] == "START")


def _ended(run: OpenRun, kind: str, *, last: str) -> dict[str, str]:
    """:param last: time of the last record of the run: what it did after that, nobody knows"""
    state = _STATES.get(kind, "ABORT")
    return {"run": run.id, "state": state, "opened": run.opened, "last": last, "reason": "its process is gone"}


def _subject(engine: Engine, run: OpenRun) -> Subject:
    """What the START was about. It is found even where the statement itself has been erased."""
    query = (
        select(subject_index.c.name, subject_index.c.algorithm, subject_index.c.digest)
        .join(outbox, outbox.c.id == subject_index.c.outbox_id)
        .join(event_log, event_log.c.outbox_id == outbox.c.id)
        .where(event_log.c.run_id == run.id)
        .order_by(outbox.c.time, outbox.c.id, subject_index.c.name)
    )
    with engine.connect() as connection:
        row = connection.execute(query).first()
    return Subject(*row) if row is not None else Subject(f"run:{run.id}", "run-id", run.id.replace("-", ""))


def _asked(started: StoredRecord | None) -> dict[str, Any]:
    """What the START says of the run, so that the ABORT reads by itself."""
    if started is None:
        return {}
    return {name: value for name, value in started.predicate.items() if name not in ("recorded", "event")}


def _job(started: StoredRecord | None, kind: str, namespace: str) -> Job:
    if started is None:
        return Job(namespace, kind, kind.upper())
    job = started.predicate["event"]["job"]
    return Job(job["namespace"], job["name"], job["facets"]["jobType"]["jobType"])
