"""The facts of a whole repository as one JSON document, for a policy engine of your own (OPA, Conftest, ...).

They are the facts that rules in CEL see, object by object, so another engine answers the same question.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from governance.assets import Definitions
from governance.canonical import Json
from governance.decide import standing
from governance.facts import facts_of
from governance.labels import Labels
from governance.policy import Policy

VERSION: Final = 1


def exported_facts(
    definitions: Definitions, policy: Policy, *, places: Mapping[str, tuple[str, ...]], today: date
) -> Json:
    """The document; docs/planning.md describes its members.

    ``places`` of an object are those it lies in or flows to by the configuration, each with its role and its zone.
    """
    labels = Labels(definitions, policy, today=today)
    objects = []
    for one in standing(definitions, labels, "apply", places):
        where = [{"role": role, "uri": uri, "zone": policy.zone(uri)} for role, uri in one.places]
        facts = facts_of(one.asset, one.state, [uri for _, uri in one.places])
        objects.append({"object": one.asset.key, "facts": facts, "places": where, "location": one.asset.location})
    return {
        "version": VERSION,
        "project": definitions.project,
        "definitions": definitions.digest,
        "policy": policy.sha256,
        "objects": sorted(objects, key=lambda one: str(one["object"])),
    }
