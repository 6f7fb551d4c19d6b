"""Which suites a retrieval must satisfy: ``expectations/NAME.json`` (or ``.py``) belongs to the service or view NAME.

It applies to every retrieval that asks for all features of NAME, whatever else is asked for, and whichever version of
a view: a suite is about a name, and asking for ``labs@v2`` is no way past it.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from governance.assets import VIEW_KINDS, Asset, Definitions
from governance.errors import ConfigurationError
from governance.validation.reading import Feature
from governance.validation.suite import Suite, read_suite

_VERSION = re.compile(r"@v\d+$")


@dataclass(frozen=True)
class Applicable:
    """A suite that a retrieval must satisfy."""

    suite: Suite
    features: frozenset[Feature]
    """those of its owner, whichever version"""


def applicable_suites(definitions: Definitions, asked: AbstractSet[Feature], directory: Path) -> tuple[Applicable, ...]:
    """The suites in ``directory`` that apply, by file name. Raises ConfigurationError for a suite of nothing.

    :param asked: each under its view's name or ``view@vN``
    """
    plain = {(unversioned(view), name) for view, name in asked}
    suites = []
    for path in suite_files(directory):
        features = features_of(definitions, _owner(definitions, path))
        if features <= plain:
            now = path.stat()
            suite = _read(path, (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns))
            suites.append(Applicable(suite, features))
    return tuple(suites)


def unversioned(view: str) -> str:
    """The name of a view without the version that was asked for: ``labs`` of ``labs@v2``."""
    return _VERSION.sub("", view)


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
    """Every feature that a view holds or a service names, under names without a version."""
    if asset.kind in VIEW_KINDS:
        return frozenset((unversioned(asset.name), field.name) for field in asset.fields)
    views = [(definitions[one.key], one.fields) for one in asset.inputs if one.key in definitions]
    return frozenset(
        (unversioned(view.name), name)
        for view, fields in views
        for name in (fields or [field.name for field in view.fields])
    )


def _owner(definitions: Definitions, path: Path) -> Asset:
    for kind in ("feature_service", *VIEW_KINDS):
        if (key := f"{kind}:{path.stem}") in definitions:
            return definitions[key]
    raise ConfigurationError(
        f"The expectations {path} belong to nothing: no feature service or view is named {path.stem!r}. Rename the file"
        " after the service or view whose retrievals it is about, or remove it."
    )
