"""Closing runs whose process is gone: the next recorder writes their ABORT."""

from __future__ import annotations

import json

from sqlalchemy import Engine, select

from lineage import runs
from lineage.events import Job, run_event
from lineage.recorder import Act, Recorder, Subject, event_log
from lineage.runs import OpenRun


def close_abandoned(engine: Engine, recorder: Recorder, *, actor: str, namespace: str) -> tuple[str, ...]:
    """Record an ABORT for every open run of a process that is gone; gives the ids of those runs.

    Two recorders may see the same run: both write ABORT, which says the same thing twice and harms nobody.
    """
    with engine.connect() as connection:
        gone = runs.abandoned(connection)
        jobs = {run.id: _job(connection.execute(_started(run)).scalar_one_or_none(), run, namespace) for run in gone}
    for run in gone:
        recorder.record(_abort(run, jobs[run.id], actor))
    return tuple(run.id for run in gone)


def _started(run: OpenRun):  # type: ignore[no-untyped-def] # noqa: ANN202 - SQLAlchemy's Select of one column
    return select(event_log.c.body).where(event_log.c.run_id == run.id, event_log.c.type == "START")


def _job(started: bytes | None, run: OpenRun, namespace: str) -> Job:
    if started is None:
        return Job(namespace, run.kind, run.kind.upper())
    job = json.loads(started)["job"]
    return Job(job["namespace"], job["name"], job["facets"]["jobType"]["jobType"])


def _abort(run: OpenRun, job: Job, actor: str) -> Act:
    digest = run.id.replace("-", "")
    return Act(
        kind=run.kind,
        actor=actor,
        subjects=(Subject(f"run:{run.id}", "run-id", digest),),
        predicate={"run": run.id, "state": "ABORT", "opened": run.opened, "reason": "its process is gone"},
        event=run_event("ABORT", run=run.id, job=job),
        run=run.id,
        closes=True,
    )
