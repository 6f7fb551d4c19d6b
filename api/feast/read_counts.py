"""Online reads, counted: one record a second says how often each recorded decision was used.

A process that reads opens a run (kind ``online-reads``); every second in which it read adds a record to the run, and
its end closes it. Of a process that was killed the next recorder closes the run as ABORT, with the time of its last
record: what was read in the second after that is in no count.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.assembly import Provender, process_actor
from governance.canonical import rfc3339
from lineage.events import Job, RunState, run_event
from lineage.recorder import Act, Subject

KIND = "online-reads"
SECONDS = 1.0
"""from the first read that is not on record to the record"""


@dataclass(slots=True)
class Count:
    """Reads under one decision that are not on record yet."""

    decision: str
    """id of the record of the decision"""
    reads: int = 0
    first: float = 0.0
    """POSIX seconds"""
    last: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """One entry of a record."""
        first, last = (rfc3339(datetime.fromtimestamp(one, UTC)) for one in (self.first, self.last))
        return {"decision": self.decision, "count": self.reads, "first": first, "last": last}


class ReadCounts:
    """The counts of one process over one repository, in whichever threads it reads."""

    def __init__(self, parts: Provender, *, seconds: float = SECONDS) -> None:
        self._parts, self._seconds = parts, seconds
        self._lock = threading.Lock()
        self._run: str | None = None
        self._counts: dict[str, Count] = {}
        self._kept_back = False
        self._flusher: threading.Thread | None = None
        os.register_at_fork(after_in_child=self._begin_anew)
        atexit.register(self.close)

    def add(self, decision: str) -> None:
        """Count one read under the decision of that record. Raises what keeps counts from being recorded."""
        now = time.time()
        with self._lock:
            if self._run is None:
                self._open()
            if self._kept_back:
                self._record(self._taken())
            count = self._counts.get(decision)
            if count is None:
                count = self._counts[decision] = Count(decision, first=now)
            count.reads += 1
            count.last = now
            if self._flusher is None:
                self._flusher = threading.Thread(target=self._later, name="provender-online-reads", daemon=True)
                self._flusher.start()

    def close(self) -> None:
        """Record what is counted, and the end. For the end of the process."""
        with self._lock:
            if self._run is not None:
                self._record(self._taken(), ends=True)
                self._run = None

    def _open(self) -> None:
        run = str(uuid.uuid4())
        self._parts.recorder.record(self._act("START", run, opens=True))
        self._run = run

    def _later(self) -> None:
        time.sleep(self._seconds)
        with self._lock:
            self._flusher = None
            counts = self._taken()
        self._record(counts)

    def _taken(self) -> dict[str, Count]:
        counts, self._counts = self._counts, {}
        return counts

    def _record(self, counts: dict[str, Count], *, ends: bool = False) -> None:
        """Record ``counts``; where that fails they are kept, and nothing is read until they are recorded."""
        if self._run is None or not (counts or ends):
            return
        recorded = False
        try:
            state: RunState = "COMPLETE" if ends else "RUNNING"
            self._parts.recorder.record(self._act(state, self._run, counts=tuple(counts.values()), closes=ends))
            recorded = True
        finally:
            self._kept_back = not recorded
            if not recorded:
                self._put_back(counts)

    def _put_back(self, counts: dict[str, Count]) -> None:
        for decision, count in counts.items():
            since = self._counts.get(decision)
            if since is not None:
                count.reads, count.last = count.reads + since.reads, since.last
            self._counts[decision] = count

    def _begin_anew(self) -> None:
        """In a forked process: the counts, and the lock that may be held, are its parent's."""
        self._lock = threading.Lock()
        self._run, self._counts, self._kept_back, self._flusher = None, {}, False, None

    def _act(
        self, state: RunState, run: str, *, counts: tuple[Count, ...] = (), opens: bool = False, closes: bool = False
    ) -> Act:
        project = self._parts.settings.project
        return Act(
            kind=KIND,
            actor=process_actor(),
            subjects=(Subject(f"run:{run}", "run-id", run.replace("-", "")),),
            predicate={
                "run": run,
                "state": state,
                "project": project,
                "reads": [one.as_json() for one in counts],
            },
            event=run_event(state, run=run, job=Job(project, KIND, "SERVING")),
            run=run,
            opens=opens,
            closes=closes,
        )


_LOCK = threading.Lock()
_COUNTS: dict[tuple[str, str], ReadCounts] = {}


def read_counts(parts: Provender) -> ReadCounts:
    """The counts of this process over that repository: one run, however often it is opened."""
    settings = parts.settings
    with _LOCK:
        return _COUNTS.setdefault((settings.database, settings.project), ReadCounts(parts))
