"""A materialization as an act: verdict, START, what was written to the online store, COMPLETE (or DENIED, or FAIL)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
from feast.feature_view import FeatureView

from api.assembly import Provender
from api.feast.online_writes import EVENT_TIME
from governance.assets import Definitions
from governance.canonical import json_sha256, rfc3339
from governance.verdict import Verdict
from lineage import events
from lineage.canonical_table import canonical_table
from lineage.events import Dataset, Job, facet
from lineage.recorder import Act, Subject
from lineage.snapshot_names import snapshot_name
from lineage.sources.state import SourceState
from lineage.td1 import digest_table


@dataclass(frozen=True)
class Materialization:
    """The values of one feature view on their way into the online store."""

    parts: Provender
    view: FeatureView
    start: datetime
    end: datetime
    definitions: Definitions
    verdict: Verdict
    purpose: str | None
    caller: str
    store: str
    """place of the online store"""
    run: str = field(default_factory=lambda: str(uuid.uuid4()))

    def deny(self) -> None:
        """Record the refusal, then raise Denied."""
        self.parts.recorder.record(self._act("DENIED", self._event("FAIL", facets=self._verdict_facet()), ()))
        self.verdict.enforce()

    def begin(self) -> None:
        """Record that the run was allowed and begins."""
        self.parts.recorder.record(
            self._act("START", self._event("START", facets=self._verdict_facet()), (), opens=True)
        )

    def fail(self, error: BaseException) -> None:
        """Record that the run ended early; some rows may have reached the store."""
        event = self._event("FAIL", facets=events.error_facet(error))
        self.parts.recorder.record(self._act("FAIL", event, (), closes=True))

    def result(self, written: pa.Table, sources: tuple[SourceState, ...]) -> Act:
        """What is still to be recorded: the digest of what was written, and from which source states."""
        keys = sorted(column.name for column in self.view.entity_columns if column.name in written.column_names)
        digest = digest_table(canonical_table(written, types={}, rows=None, keys=[EVENT_TIME, *keys]))
        name = snapshot_name(digest.digest, rows=digest.rows, min_rows=self.parts.settings.governance.min_rows)
        output = Dataset(self.definitions.project, f"online/{self.view.name}", self._facets(name, digest.rows, written))
        event = self._event("COMPLETE", inputs=sources, outputs=(output,))
        views = ({**self._view_json(sources), "digest": name, "rows": digest.rows},)
        subject = Subject(f"feature_view:{self.view.name}", *name.split(":", 1))
        return self._act("COMPLETE", event, views, closes=True, subject=subject)

    def _facets(self, name: str, rows: int, written: pa.Table) -> dict[str, Any]:
        content = {"id": name, "rows": rows, "manifest": json_sha256({"id": name, "rows": rows})}
        return {
            **events.version_facet(name),
            **events.schema_facet([(column.name, str(column.type)) for column in written.schema]),
            "provender_snapshot": facet("ProvenderSnapshotDatasetFacet", content),
        }

    def _view_json(self, sources: tuple[SourceState, ...]) -> dict[str, Any]:
        return {
            "name": self.view.name,
            "start": rfc3339(self.start),
            "end": rfc3339(self.end),
            "store": self.store,
            "sources": [source.as_json() for source in sources],
        }

    def _verdict_facet(self) -> dict[str, Any]:
        whole = self.verdict.as_json()
        return {
            "provender_verdict": facet(
                "ProvenderVerdictRunFacet", {n: whole[n] for n in ("outcome", "policy", "findings")}
            )
        }

    def _event(
        self,
        state: events.RunState,
        *,
        inputs: tuple[SourceState, ...] = (),
        outputs: tuple[Dataset, ...] = (),
        facets: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        job = Job(self.definitions.project, f"materialize/{self.view.name}", "MATERIALIZATION")
        datasets = [events.source_dataset(source) for source in inputs]
        return events.run_event(state, run=self.run, job=job, inputs=datasets, outputs=outputs, run_facets=facets)

    def _act(
        self,
        state: str,
        event: Mapping[str, Any],
        views: tuple[Mapping[str, Any], ...],
        *,
        opens: bool = False,
        closes: bool = False,
        subject: Subject | None = None,
    ) -> Act:
        span = {"start": rfc3339(self.start), "end": rfc3339(self.end)}
        asked = {"view": self.view.name, **span, "purpose": self.purpose}
        about = subject or Subject(f"run:{self.run}", "request-sha256", json_sha256(asked))
        whole = self.verdict.as_json()
        return Act(
            kind="materialization",
            actor=self.caller,
            subjects=(about,),
            predicate={
                "run": self.run,
                "state": state,
                "project": self.definitions.project,
                "definitions": self.definitions.digest,
                "request": asked,
                "verdict": {name: whole[name] for name in ("outcome", "policy", "findings", "exempted")},
                "views": [dict(view) for view in views],
            },
            event=event,
            run=self.run,
            opens=opens,
            closes=closes,
        )
