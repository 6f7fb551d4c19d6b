"""What every act of a provider asks first: what is defined, what the caller acts for, and the verdict."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import RepoConfig

from api.assembly import Provender
from api.feast.caller import current_caller
from api.feast.denial import NotOffered
from api.feast.gate import ApplyGate
from api.feast.head_copy import read_only_head
from api.feast.picture import draw
from api.feast.registry_store import decided
from api.feast.versions import with_versions
from api.places import repository_places
from api.settings import PURPOSE
from governance.assets import Definitions, Input
from governance.known import known_verdict
from governance.policy import Policy
from governance.purposes import current_purpose
from governance.verdict import Gate, Verdict

Places = Mapping[str, tuple[str, ...]]
"""Role → canonical URIs."""


@dataclass(frozen=True)
class Judging:
    """The gate of one governed repository, as its provider asks it."""

    parts: Provender
    config: RepoConfig

    def definitions(self, registry: BaseRegistry, views: Iterable[Any] = ()) -> Definitions:
        """What the registry defines, with those of ``views`` that are old versions beside it."""
        settings, proto = self.parts.settings, registry.proto()
        drawn = draw(proto, project=settings.project, repo=settings.repo)
        head = decided(registry, drawn, ApplyGate(self.parts))
        return with_versions(head, views, proto, project=settings.project, repo=settings.repo)

    def definitions_now(self) -> Definitions:
        """What the registry defines, where Feast hands none to the provider. Raises NotOffered before an apply."""
        found = read_only_head(self.parts.settings, self.config).definitions
        if found is None:
            raise NotOffered("The registry defines nothing yet. Run feast apply first.")
        return found

    def purpose(self) -> str | None:
        """What the caller acts for."""
        return purpose_under(self.parts.policy(), current_caller())

    def places(self) -> Places:
        """Where the repository's stores lie, by role."""
        return repository_places(self.parts.settings)

    def verdict(
        self,
        definitions: Definitions,
        gate: Gate,
        asked: Sequence[Input],
        purpose: str | None,
        *,
        places: Places | None = None,
    ) -> Verdict:
        """The verdict of now. Raises PolicyError."""
        return verdict_now(self.parts, definitions, gate, asked, purpose, caller=current_caller(), places=places)


def verdict_now(
    parts: Provender,
    definitions: Definitions,
    gate: Gate,
    asked: Sequence[Input],
    purpose: str | None,
    *,
    caller: str,
    places: Places | None = None,
) -> Verdict:
    """The verdict of now for ``caller``, about the repository's own places unless others are given.

    Raises PolicyError.
    """
    return known_verdict(
        definitions,
        parts.policy(),
        gate=gate,
        places=repository_places(parts.settings) if places is None else places,
        objects=asked,
        purpose=purpose,
        caller=caller,
        today=datetime.now(UTC).date(),
    )


def purpose_under(policy: Policy, caller: str) -> str | None:
    """What ``caller`` acts for: the purpose stated here, or the only one that the policy grants."""
    return policy.purpose_of(current_purpose(otherwise=os.environ.get(PURPOSE)), caller=caller)
