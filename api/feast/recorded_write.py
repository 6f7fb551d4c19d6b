"""A write to files or the online store as an act: verdict, START, what was written, COMPLETE (or DENIED, or FAIL)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from api.assembly import Provender
from api.feast.own_acts import ending
from governance.assets import Definitions
from governance.canonical import json_sha256
from governance.verdict import Verdict
from lineage import events
from lineage.events import Dataset, Job, facet
from lineage.recorder import Act, Subject
from lineage.snapshot_names import snapshot_name
from lineage.sources.state import SourceState
from lineage.td1 import digest_table


@dataclass(frozen=True)
class RecordedWrite:
    """Rows on their way into files, or into the online store."""

    parts: Provender
    way: str
    """``offline_write_batch``, ``write_logged_features``, ``persist``, ``to_remote_storage``, ``online_write``"""
    object: str
    """whose rows they are: ``feature_view:labs``, ``feature_service:risk``, ``snapshot:<run>``"""
    place: str
    """where they are written to, as policies name it"""
    definitions: Definitions
    verdict: Verdict
    purpose: str | None
    caller: str
    run: str = field(default_factory=lambda: str(uuid.uuid4()))

    def to_files(self, write: Callable[[], pa.Table], state: Callable[[], SourceState | None]) -> None:
        """Decide, record the start, write, and record what was written.

        :param write: writes, and gives the rows as they lie there
        :param state: the files of the place as they are now; None where there are none
        :raises Denied: the verdict says no, which is recorded
        """
        with self._under_way():
            before = state()
            rows = write()
            after = state()
            files = {"before": _json(before), "after": _json(after)}
            self._complete(rows, files, None if after is None else events.source_dataset(after))

    @contextmanager
    def online(self) -> Iterator[list[pa.Table]]:
        """Decide and record the start; then what is appended within, the rows as they were written, is recorded.

        :raises Denied: the verdict says no, which is recorded
        """
        with self._under_way():
            written: list[pa.Table] = []
            yield written
            name = self.object.partition(":")[2]
            self._complete(pa.concat_tables(written), {}, Dataset(self.definitions.project, f"online/{name}", {}))

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        if not self.verdict.allowed:
            self.parts.recorder.record(self._act("DENIED", self._event("FAIL")))
            self.verdict.enforce()
        with ending(self._fail):
            self.parts.recorder.record(self._act("START", self._event("START"), opens=True))
            yield

    def _fail(self, error: BaseException) -> None:
        event = self._event("FAIL", facets=events.error_facet(error))
        self.parts.recorder.record(self._act("FAIL", event, closes=True, written={"reason": type(error).__name__}))

    def _complete(self, rows: pa.Table, files: Mapping[str, Any], output: Dataset | None) -> None:
        name = snapshot_name(
            digest_table(rows).digest, rows=len(rows), min_rows=self.parts.settings.governance.min_rows
        )
        written = {"digest": name, "rows": len(rows), **files}
        event = self._event("COMPLETE", outputs=() if output is None else (_written(output, name, rows),))
        about = Subject(self.object, *name.split(":", 1))
        self.parts.recorder.record(self._act("COMPLETE", event, closes=True, written=written, subject=about))

    def _event(
        self,
        state: events.RunState,
        *,
        outputs: tuple[Dataset, ...] = (),
        facets: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        whole = self.verdict.as_json()
        said = {name: whole[name] for name in ("outcome", "policy", "findings")}
        job = Job(self.definitions.project, f"{self.way}/{self.object}", "WRITE")
        verdict = {"provender_verdict": facet("ProvenderVerdictRunFacet", said)}
        return events.run_event(state, run=self.run, job=job, outputs=outputs, run_facets={**verdict, **(facets or {})})

    def _act(
        self,
        state: str,
        event: Mapping[str, Any],
        *,
        opens: bool = False,
        closes: bool = False,
        written: Mapping[str, Any] | None = None,
        subject: Subject | None = None,
    ) -> Act:
        asked = {"way": self.way, "object": self.object, "place": self.place, "purpose": self.purpose}
        whole = self.verdict.as_json()
        return Act(
            kind="write",
            actor=self.caller,
            subjects=(subject or Subject(f"run:{self.run}", "request-sha256", json_sha256(asked)),),
            predicate={
                "run": self.run,
                "state": state,
                "project": self.definitions.project,
                "definitions": self.definitions.digest,
                "request": asked,
                "verdict": {name: whole[name] for name in ("outcome", "policy", "findings", "exempted")},
                "written": dict(written or {}),
            },
            event=event,
            run=self.run,
            opens=opens,
            closes=closes,
        )


def _json(state: SourceState | None) -> dict[str, Any] | None:
    return None if state is None else state.as_json()


def _written(output: Dataset, name: str, rows: pa.Table) -> Dataset:
    """The dataset that the rows became part of, with what is known of them."""
    content = {"id": name, "rows": len(rows), "manifest": json_sha256({"id": name, "rows": len(rows)})}
    facets = {
        **output.facets,
        **events.schema_facet([(column.name, str(column.type)) for column in rows.schema]),
        "provender_snapshot": facet("ProvenderSnapshotDatasetFacet", content),
    }
    return Dataset(output.namespace, output.name, facets)
