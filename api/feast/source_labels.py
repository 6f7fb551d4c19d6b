"""What is said of a data source elsewhere: labels stand on views and their fields, not only on what they read."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from api.feast.own_files import overlap
from governance.assets import VIEW_KINDS, Asset, Definitions, Input


def inputs_read(names: Iterable[str], definitions: Definitions) -> list[Input]:
    """All that is read by who reads the data sources of these names.

    They themselves, and what :func:`inputs_at` their files. Which column of a source a query uses is not looked into.
    """
    asked = {f"data_source:{name}" for name in names}
    files = [place for key in asked & definitions.keys() for place in definitions[key].places]
    return _inputs(asked, files, definitions)


def inputs_at(files: Collection[str], definitions: Definitions) -> list[Input]:
    """All that is said of these places: sources and saved datasets that lie there, and their views with all fields."""
    return _inputs(set(), files, definitions)


def _inputs(asked: set[str], files: Collection[str], definitions: Definitions) -> list[Input]:
    same = asked | {asset.key for asset in definitions.assets if _lies_in(asset, files)}
    views = {asset.key for asset in definitions.assets if asset.kind in VIEW_KINDS and _reads(asset, same)}
    return [Input(key) for key in sorted(same | views)]


def _lies_in(asset: Asset, files: Iterable[str]) -> bool:
    return any(overlap(place, file) for place in asset.places for file in files)


def _reads(asset: Asset, sources: Iterable[str]) -> bool:
    return not {one.key for one in asset.inputs}.isdisjoint(sources)
