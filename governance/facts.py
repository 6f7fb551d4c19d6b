"""What rules in CEL can ask about an object: flat names, each with one type and one meaning.

The same facts as JSON can be fed to a policy engine of your own (:func:`facts_of`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from governance.assets import Asset
from governance.labels import effective
from governance.trails import State

FactType: TypeAlias = Literal["string", "int", "bool", "list<string>", "map<string,string>", "map<string,list<string>>"]


@dataclass(frozen=True, slots=True)
class Fact:
    """Type and meaning of one name."""

    type: FactType
    help: str


COMMON: Final[Mapping[str, Fact]] = {
    "kind": Fact("string", "kind of the object, such as feature_view"),
    "name": Fact("string", "name of the object"),
    "project": Fact("string", "project of the object"),
    "owner": Fact("string", "owner as written, empty where nobody is named"),
    "tags": Fact("map<string,string>", "tags as written"),
    "fields": Fact("list<string>", "names of its fields"),
    "inputs": Fact("list<string>", "keys (kind:name) of what it is made from"),
    "places": Fact("list<string>", "URIs of all places its data lies in or flows to"),
    "residency": Fact("list<string>", "jurisdictions where it may be, after inheritance; empty where nobody said"),
    "pii": Fact("bool", "whether it is personal data, after inheritance"),
    "purpose": Fact("list<string>", "purposes it may serve, after inheritance; empty where nobody limited them"),
    "labels": Fact("map<string,list<string>>", "labels that the policy declares, after inheritance, by name"),
}
"""Facts of every kind."""

_DESCRIPTION: Final = {"description": Fact("string", "description as written, empty where there is none")}
_VIEW: Final = {
    **_DESCRIPTION,
    "online": Fact("bool", "whether its values are written to the online store"),
    "offline": Fact("bool", "whether its values are written to the offline store when pushed"),
    "ttl_seconds": Fact("int", "how long a value counts, in seconds; 0 means for ever"),
    "entities": Fact("list<string>", "names of its entities"),
    "join_keys": Fact("list<string>", "names of the columns that identify a row"),
}

BY_KIND: Final[Mapping[str, Mapping[str, Fact]]] = {
    "data_source": {
        **_DESCRIPTION,
        "source_type": Fact("string", "class of the source, such as FileSource"),
        "timestamp_field": Fact("string", "name of its event time column, empty where it has none"),
        "created_timestamp_column": Fact("string", "name of the column that says when a row became known, or empty"),
    },
    "entity": {
        **_DESCRIPTION,
        "join_key": Fact("string", "name of the column that identifies it"),
        "value_type": Fact("string", "type of that column"),
    },
    "feature_view": _VIEW,
    "stream_feature_view": _VIEW,
    "on_demand_feature_view": {
        **_DESCRIPTION,
        "online": Fact("bool", "whether its values are written to the online store"),
        "mode": Fact("string", "how it is computed: pandas, python or substrait"),
    },
    "feature_service": {
        **_DESCRIPTION,
        "suite": Fact("bool", "whether there is a suite expectations/NAME.json of its values"),
    },
    "saved_dataset": {"join_keys": Fact("list<string>", "names of the columns that identify a row")},
    "permission": {
        "actions": Fact("list<string>", "actions it permits"),
        "types": Fact("list<string>", "kinds of objects it speaks of"),
    },
    "project": _DESCRIPTION,
}
"""Facts of one kind alone; the door that draws the assets fills them (``Asset.facts``)."""


def facts_for(kind: str) -> Mapping[str, Fact]:
    """Every fact that rules on ``kind`` can name."""
    return {**COMMON, **BY_KIND[kind]}


def facts_of(
    asset: Asset, state: State, places: Collection[str], *, only: Collection[str] | None = None
) -> dict[str, Any]:
    """The facts of one object, or those named in ``only``; a fact its door did not report is absent."""
    wanted = facts_for(asset.kind) if only is None else only
    facts: dict[str, Any] = {name: asset.facts[name] for name in wanted if name in asset.facts and name not in COMMON}
    common = [name for name in wanted if name in COMMON]
    if not common:
        return facts
    labels = effective(state)
    known = {
        "kind": asset.kind,
        "name": asset.name,
        "project": asset.project,
        "owner": asset.owner,
        "tags": dict(asset.tags),
        "fields": [field.name for field in asset.fields],
        "inputs": [one.key for one in asset.inputs],
        "places": list(places),
        "residency": sorted(labels.residency or ()),
        "pii": labels.pii,
        "purpose": sorted(labels.purpose or ()),
        "labels": {name: sorted(value) for name, value in labels.custom.items()},
    }
    return {**{name: known[name] for name in common}, **facts}
