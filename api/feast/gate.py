"""The gate of ``feast apply``: draw the picture, ask for the verdict, record it, and only then let it be."""

from __future__ import annotations

from datetime import UTC, datetime

from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto

from api.assembly import Provender
from api.feast.caller import current_caller
from api.feast.picture import draw
from api.feast.shadowing import refuse_shadowed_modules
from api.places import repository_places
from api.repository import git_state
from governance.assets import Definitions
from governance.decide import decide
from governance.verdict import Verdict
from lineage.recorder import Act, Subject


class ApplyGate:
    """Decides on proposed registries of one repository."""

    def __init__(self, parts: Provender) -> None:
        self._parts = parts

    @property
    def parts(self) -> Provender:
        """The parts of the repository whose gate this is."""
        return self._parts

    def policy_digest(self) -> str:
        """SHA-256 of the policy file as it stands now. Raises PolicyError."""
        return self._parts.policy().sha256

    def definitions(self, proto: RegistryProto) -> Definitions:
        """The picture of a registry."""
        return draw(proto, project=self._parts.settings.project, repo=self._parts.settings.repo)

    def verdict(self, definitions: Definitions) -> Verdict:
        """What ``feast apply`` of these definitions would be told. Raises PolicyError."""
        places = repository_places(self._parts.settings)
        return decide(definitions, self._parts.policy(), gate="apply", places=places, today=datetime.now(UTC).date())

    def decide(self, proto: RegistryProto) -> None:
        """Refuse a proposed registry before anything is touched. A denial is recorded; raises Denied.

        It asks even where no definition changed: the policy, or the store that is about to be set up, may have.
        """
        refuse_shadowed_modules(self._parts.settings.repo)  # a shadowed file may look like no change at all
        self.enforce(self.verdict(self.definitions(proto)))

    def commit(self, proto: RegistryProto, *, head: str | None) -> str:
        """Decide on what is about to be committed and record the decision; gives its definition version."""
        definitions = self.definitions(proto)
        if _changes_something(definitions, head):
            refuse_shadowed_modules(self._parts.settings.repo)
            self._record_and_enforce(self.verdict(definitions))
        return definitions.digest

    def enforce(self, verdict: Verdict) -> None:
        """Go on where the act is allowed. A denial is recorded; raises Denied."""
        if not verdict.allowed:
            self._record_and_enforce(verdict)

    def _record_and_enforce(self, verdict: Verdict) -> None:
        self._parts.recorder.record(self._act(verdict))
        verdict.enforce()

    def _act(self, verdict: Verdict) -> Act:
        project = self._parts.settings.project
        return Act(
            kind="decision",
            actor=current_caller(),
            subjects=(Subject(f"definitions:{project}", "definitions-sha256", verdict.definitions),),
            predicate={**verdict.as_json(), "project": project, "repository": git_state(self._parts.settings.repo)},
        )


def _changes_something(definitions: Definitions, head: str | None) -> bool:
    """False for what Feast commits by itself: an empty registry when it opens a store, times, intervals."""
    if head is None:
        return any(not asset.system and asset.kind != "project" for asset in definitions.assets)
    return definitions.digest != head
