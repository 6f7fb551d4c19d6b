"""The gate of ``feast apply``: draw the picture, ask for the verdict, record it, and only then let it be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto

from api.assembly import Provender
from api.feast.caller import current_caller
from api.feast.picture import draw
from api.feast.shadowing import refuse_shadowed_modules
from api.places import repository_places
from api.repository import git_state
from governance.assets import Definitions
from governance.decide import decide
from governance.policy import Policy
from governance.verdict import Verdict
from lineage.recorder import Act, Subject
from lineage.records import StoredRecord

TEARDOWN = "teardown"
"""What the record of a teardown says where a decision names its gate."""


class ApplyGate:
    """Decides on proposed registries of one repository."""

    def __init__(self, parts: Provender) -> None:
        self._parts = parts
        self._last: tuple[Definitions, tuple[object, ...], Verdict] | None = None

    @property
    def parts(self) -> Provender:
        """The parts of the repository whose gate this is."""
        return self._parts

    def policy(self) -> Policy:
        """The policy as its file stands now. Raises PolicyError."""
        return self._parts.policy()

    def definitions(self, proto: RegistryProto) -> Definitions:
        """The picture of a registry."""
        return draw(proto, project=self._parts.settings.project, repo=self._parts.settings.repo)

    def verdict(self, definitions: Definitions) -> Verdict:
        """What ``feast apply`` of these definitions would be told. Raises PolicyError."""
        return self._verdict(definitions, self.policy())

    def decide(self, proto: RegistryProto) -> None:
        """Refuse a proposed registry before anything is touched. A denial is recorded; raises Denied.

        It asks even where no definition changed: the policy, or the store that is about to be set up, may have.
        """
        refuse_shadowed_modules(self._parts.settings.repo)  # a shadowed file may look like no change at all
        self.enforce(self.verdict(self.definitions(proto)))

    def propose(self, proto: RegistryProto, *, head: str | None, policy: Policy) -> tuple[str, Verdict | None]:
        """The definition version of what is about to be committed, and the verdict, if it changes a definition.

        Whoever commits it hands the verdict to :meth:`record` first.
        """
        definitions = self.definitions(proto)
        if holds_nothing(definitions) if head is None else definitions.digest == head:
            return definitions.digest, None
        refuse_shadowed_modules(self._parts.settings.repo)
        return definitions.digest, self._verdict(definitions, policy)

    def record(self, verdict: Verdict, *, version: str | None = None, over: str | None = None) -> None:
        """Record the decision on a commit, whatever it is. Raises Denied where it is no.

        :param version: name of the registry's version that is committed where it is yes
        :param over: definition version that it takes the place of, where the registry keeps no versions
        """
        more = {"registry": version, "over": over}
        decision = {**verdict.as_json(), **{name: value for name, value in more.items() if value is not None}}
        self._parts.recorder.record(self._decision(verdict.definitions, decision))
        verdict.enforce()

    def record_teardown(self, definitions: str) -> None:
        """Record that the registry is to hold nothing any more: it is no loss of the head when it is gone then.

        :param definitions: version of what the registry held
        """
        verdict = {"gate": TEARDOWN, "outcome": "allow", "policy": self.policy().sha256, "definitions": definitions}
        self._parts.recorder.record(self._decision(definitions, {**verdict, "findings": [], "exempted": []}))

    def allowed(self) -> str | None:
        """Version of the definitions that the last recorded decision let in; None before one, and after a teardown."""
        last = self.last()
        return None if last is None or last["gate"] == TEARDOWN else str(last["definitions"])

    def last(self) -> Mapping[str, Any] | None:
        """The last recorded decision that let something in, or teardown; None before one."""
        name = _subject_name(self._parts.settings.project)
        for record in self._parts.records.newest_by_subject_name(name, "decision"):
            if _counts(record.predicate):
                return record.predicate
        return None

    def enforce(self, verdict: Verdict) -> None:
        """Go on where the act is allowed. A denial is recorded; raises Denied."""
        if not verdict.allowed:
            self.record(verdict)

    def _verdict(self, definitions: Definitions, policy: Policy) -> Verdict:
        """The verdict; the same question, which Feast's apply asks twice, is judged once."""
        places, today = repository_places(self._parts.settings), datetime.now(UTC).date()
        asked = (policy.sha256, places, today)
        if self._last is None or self._last[0] is not definitions or self._last[1] != asked:
            verdict = decide(definitions, policy, gate="apply", places=places, today=today)
            self._last = definitions, asked, verdict
        return self._last[2]

    def _decision(self, definitions: str, verdict: Mapping[str, Any]) -> Act:
        project = self._parts.settings.project
        return Act(
            kind="decision",
            actor=current_caller(),
            subjects=(Subject(_subject_name(project), "definitions-sha256", definitions),),
            predicate={**verdict, "project": project, "repository": git_state(self._parts.settings.repo)},
        )


def commits(parts: Provender) -> tuple[StoredRecord, ...]:
    """The recorded decisions that let a version of the registry in, and the teardowns, oldest first."""
    records = parts.records.by_subject_name(_subject_name(parts.settings.project), "decision")
    return tuple(one for one in records if _counts(one.predicate))


def _counts(decision: Mapping[str, Any]) -> bool:
    return decision["gate"] == TEARDOWN or bool(decision["gate"] == "apply" and decision["outcome"] == "allow")


def _subject_name(project: str) -> str:
    return f"definitions:{project}"


def holds_nothing(definitions: Definitions) -> bool:
    """Whether a registry is as Feast makes it by itself, without a decision: empty when it opens a store."""
    return all(asset.system or asset.kind == "project" for asset in definitions.assets)
