"""A deployment as acts: ready, ended, refused.

The run of a deployment is opened by its ready record. Its server ends with the process that recorded it, so that an
open run whose recorder is gone is an ended deployment, which the next recorder closes as ABORT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from api.assembly import process_actor
from api.kserve.provenance import Asked, Provenance
from lineage import events
from lineage.events import Dataset, Job, facet
from lineage.recorder import Act, Subject
from lineage.records import Records, StoredRecord

ALGORITHM = "oms1-sha256"


@dataclass(frozen=True)
class OnlineValues:
    """What the online values of one view were made from, as far as records say."""

    view: str
    materialization: str
    """run of the last completed materialization; empty where none is recorded"""
    digest: str

    def as_json(self) -> dict[str, str]:
        """The entry of a deployment record."""
        return {"view": self.view, "materialization": self.materialization, "digest": self.digest}


@dataclass(frozen=True)
class DeploymentRecords:
    """Makes the acts of one deployment."""

    project: str
    deployment: str
    """its UUID, also the OpenLineage run"""
    asked: Asked
    model: str
    """name of the model, for the event"""

    def ready(self, found: Provenance, online: Sequence[OnlineValues]) -> Act:
        """The server answers and is what was asked for."""
        inputs = [self._model(found.artifact), *(self._online(values) for values in online if values.digest)]
        event = self._event("START", "ready", loaded=found.artifact, inputs=inputs)
        return self._act(
            "ready", {**self._served(found), "online": [one.as_json() for one in online]}, event, opens=True
        )

    def ended(self, found: Provenance, online: Sequence[OnlineValues], *, reason: str, failed: bool) -> Act:
        """The server is gone: because it was stopped, or because it (or what it needs) ``failed``."""
        event = self._event("FAIL" if failed else "COMPLETE", "ended", loaded=found.artifact)
        said = {**self._served(found), "online": [one.as_json() for one in online], "reason": reason}
        return self._act("ended", said, event, closes=True)

    def refused(self, reason: str) -> Act:
        """The server never got ready, or was not what was asked for."""
        event = self._event("FAIL", "refused", loaded=None, inputs=[self._model(self.asked.artifact)])
        server = {"framework": "kserve", "version": version("kserve"), "url": None}
        return self._act("refused", {"server": server, "loaded": {}, "online": [], "reason": reason}, event)

    def _served(self, found: Provenance) -> dict[str, Any]:
        return {
            "server": {"framework": "kserve", "version": found.kserve, "url": found.url, "started": found.started},
            "loaded": {"digest": found.artifact, "at": found.verified, "by": f"the KServe {found.kserve} model server"},
            "signature_key": found.signature_key,
            "predictor": dict(found.predictor),
            "feature_service": found.feature_service,
            "definitions": found.definitions,
        }

    def _act(
        self,
        state: str,
        said: Mapping[str, Any],
        event: Mapping[str, Any],
        *,
        opens: bool = False,
        closes: bool = False,
    ) -> Act:
        named = {"endpoint": self.asked.endpoint, "deployment": self.deployment, "run": self.deployment, "state": state}
        digest = self.asked.artifact.removeprefix(ALGORITHM + ":")
        return Act(
            kind="deployment",
            actor=process_actor(),
            subjects=(Subject(f"endpoint:{self.asked.endpoint}", ALGORITHM, digest),),
            predicate={**named, "project": self.project, "asked": self.asked.as_json(), **said},
            event=event,
            run=self.deployment,
            opens=opens,
            closes=closes,
        )

    def _event(
        self, state: events.RunState, word: str, *, loaded: str | None, inputs: Sequence[Dataset] = ()
    ) -> dict[str, Any]:
        content = {
            "endpoint": self.asked.endpoint,
            "deployment": self.deployment,
            "state": word,
            "loaded": loaded,
        }
        facets = {"provender_deployment": facet("ProvenderDeploymentRunFacet", content)}
        job = Job(self.project, f"endpoint/{self.asked.endpoint}", "DEPLOYMENT")
        return events.run_event(state, run=self.deployment, job=job, inputs=inputs, run_facets=facets)

    def _model(self, digest: str) -> Dataset:
        return Dataset(self.project, f"model/{self.model}", events.version_facet(digest))

    def _online(self, values: OnlineValues) -> Dataset:
        return Dataset(self.project, f"online/{values.view}", events.version_facet(values.digest))


def online_values(records: Records, views: Sequence[str]) -> tuple[OnlineValues, ...]:
    """For each view the last completed materialization that is recorded."""
    return tuple(_last(view, records.by_subject_name(f"feature_view:{view}", "materialization")) for view in views)


def model_name(records: Records, artifact: str) -> str:
    """The name under which an artifact was recorded; its digest where nobody recorded it."""
    digest = artifact.removeprefix(ALGORITHM + ":")
    names = [
        subject["name"].removeprefix("model:")
        for record in records.by_subject(ALGORITHM, digest)
        for subject in record.statement["subject"]
        if subject["name"].startswith("model:")
    ]
    return names[-1] if names else digest


def _last(view: str, stored: Sequence[StoredRecord]) -> OnlineValues:
    for record in reversed(stored):
        if record.predicate.get("state") == "COMPLETE":
            for written in record.predicate["views"]:
                if written["name"] == view:
                    return OnlineValues(view, record.predicate["run"], written["digest"])
    return OnlineValues(view, "", "")
