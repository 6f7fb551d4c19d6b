"""A catalogue in SQLite, a seal that signs nothing, and acts to record: what the tests of the catalogue share."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, func, select

from governance.canonical import canonical_json
from lineage.aborts import close_abandoned
from lineage.database import create_tables, metadata, open_database
from lineage.events import Job, RunState, run_event
from lineage.outbox import Sealed
from lineage.recorder import Act, Recorder, Subject
from lineage.records import Records

DIGEST = "ab" * 32


class PlainSeal:
    """Puts the statement into an unsigned envelope; a seal of the real kind is ``audit``'s."""

    def pseudonym(self, actor: str) -> str:
        return sha256(actor.encode()).hexdigest()[:16]

    def __call__(self, statement: dict[str, Any], *, actor: str) -> Sealed:
        payload = base64.b64encode(canonical_json(statement)).decode()
        envelope = json.dumps({"payload": payload, "payloadType": "test", "signatures": []}).encode()
        return Sealed(envelope, sha256(envelope).hexdigest(), bytes(32), "c" * 64, self.pseudonym(actor))


def catalogue(directory: Path) -> Engine:
    engine = open_database(f"sqlite:///{directory}/catalogue.db")
    create_tables(engine)
    return engine


def recorder(engine: Engine, after: Callable[[], object] = lambda: None) -> Recorder:
    return Recorder(engine, PlainSeal(), after=after)


def act(
    run: str,
    state: RunState,
    *,
    subjects: tuple[Subject, ...] | None = None,
    opens: bool = False,
    closes: bool = False,
    kind: str = "retrieval",
) -> Act:
    return Act(
        kind=kind,
        actor="process:me@here",
        subjects=subjects or (Subject(f"run:{run}", "request-sha256", DIGEST),),
        predicate={"run": run, "state": state, "request": {"features": ["labs:alb"]}, "definitions": DIGEST},
        event=run_event(state, run=run, job=Job("health", "historical_features/1", "RETRIEVAL")),
        run=run,
        opens=opens,
        closes=closes,
    )


def rows(engine: Engine) -> dict[str, int]:
    """How many rows each table has."""
    with engine.connect() as connection:
        return {table.name: _count(connection, table) for table in metadata.sorted_tables}


def _count(connection: Any, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def start_and_wait(directory: str, run: str) -> None:
    """Open a run and hang: for a process that the test kills."""
    import time

    recorder(catalogue(Path(directory))).record(act(run, "START", opens=True))
    print("started", flush=True)  # noqa: T201 - heard by the test
    time.sleep(600)


def close_all(directory: str) -> None:
    """Close what is abandoned, when told to; prints the runs closed."""
    engine = catalogue(Path(directory))
    print("ready", flush=True)  # noqa: T201 - as above
    input()
    closed = close_abandoned(engine, Records(engine), recorder(engine), actor="process:me@here", namespace="health")
    print(json.dumps(closed), flush=True)  # noqa: T201 - as above
