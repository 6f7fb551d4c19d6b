"""Which suites a retrieval must satisfy: ``expectations/NAME.json`` (or ``.py``) belongs to the service or view NAME.

It applies to every retrieval that asks for all features of NAME, whatever else is asked for.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from functools import lru_cache
from pathlib import Path

from governance.assets import VIEW_KINDS, Asset, Definitions
from governance.errors import ConfigurationError
from governance.validation.suite import Suite, read_suite

Feature = tuple[str, str]
"""(name of the view, name of the feature)"""


def applicable_suites(definitions: Definitions, asked: AbstractSet[Feature], directory: Path) -> tuple[Suite, ...]:
    """The suites in ``directory`` that apply, by file name. Raises ConfigurationError for a suite of nothing."""
    suites = []
    for path in suite_files(directory):
        owner = _owner(definitions, path)
        if features_of(definitions, owner) <= asked:
            now = path.stat()
            suites.append(_read(path, (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)))
    return tuple(suites)


def suite_files(directory: Path) -> list[Path]:
    """The suites that are there, by file name; each is named after what it is about."""
    return sorted([*directory.glob("*.json"), *directory.glob("[!_]*.py")])


@lru_cache(maxsize=64)
def _read(path: Path, _state: tuple[int, ...]) -> Suite:
    """The suite in a file of that state: read again when the file was changed or replaced."""
    if path.suffix == ".json":
        return read_suite(path)
    from governance.validation.python_suite import read_python_suite  # Great Expectations takes seconds to import

    return read_python_suite(path)


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
