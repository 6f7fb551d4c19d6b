"""Which suites a retrieval must satisfy: ``expectations/NAME.json`` belongs to the service or view NAME.

It applies to every retrieval that asks for all features of NAME, whatever else is asked for.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from pathlib import Path

from governance.assets import VIEW_KINDS, Asset, Definitions
from governance.errors import ConfigurationError
from governance.validation.suite import Suite, read_suite

Feature = tuple[str, str]
"""(name of the view, name of the feature)"""


def applicable_suites(definitions: Definitions, asked: AbstractSet[Feature], directory: Path) -> tuple[Suite, ...]:
    """The suites in ``directory`` that apply, by file name. Raises ConfigurationError for a suite of nothing."""
    suites = []
    for path in sorted(directory.glob("*.json")):
        owner = _owner(definitions, path)
        if features_of(definitions, owner) <= asked:
            suites.append(read_suite(path))
    return tuple(suites)


def features_of(definitions: Definitions, asset: Asset) -> frozenset[Feature]:
    """Every feature that a view holds or a service names."""
    if asset.kind in VIEW_KINDS:
        return frozenset((asset.name, field.name) for field in asset.fields)
    views = [(definitions[one.key], one.fields) for one in asset.inputs if one.key in definitions]
    return frozenset(
        (view.name, name) for view, fields in views for name in (fields or [field.name for field in view.fields])
    )


def _owner(definitions: Definitions, path: Path) -> Asset:
    for kind in ("feature_service", *VIEW_KINDS):
        if (key := f"{kind}:{path.stem}") in definitions:
            return definitions[key]
    raise ConfigurationError(
        f"The expectations {path} belong to nothing: no feature service or view is named {path.stem!r}. Rename the file"
        " after the service or view whose retrievals it is about, or remove it."
    )
