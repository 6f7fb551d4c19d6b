"""The files that governance itself stands on: no act writes rows there, or reads them as a copy that was made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote

from feast.repo_config import RepoConfig

from api.feast.denial import NotOffered
from api.feast.governed import governance_file
from api.places import repository_places
from api.settings import FEAST_FILE, Settings
from governance.assets import VIEW_KINDS, Definitions
from governance.places import file_place
from lineage.sources.files import WILDCARDS, glob_root

_OWN_ROLES = ("registry", "database", "objects", "keys", "checkpoints", "online_store")
_READERS = ("data_source", *VIEW_KINDS)
_BESIDE_SQLITE = ("-wal", "-shm", "-journal", ".*.lock")


def refuse_own_files(places: Iterable[str], settings: Settings, config: RepoConfig) -> None:
    """Raise NotOffered where a place is, holds, or lies in what this repository is governed by.

    :param places: canonical URIs; of a symbolic link, of the link as well as of what it leads to
    """
    for what, own in _own_places(settings, config):
        for place in places:
            if overlap(place, own):
                raise NotOffered(
                    f"{place} has files in common with the {what} of this repository ({own}), so no rows are written"
                    " or read back there. Name a place that is apart from it."
                )


def refuse_sources(written: Collection[str], definitions: Definitions, *, besides: Collection[str] = ()) -> None:
    """Raise NotOffered where a place written to is, holds, or lies in what a data source of ``definitions`` reads.

    :param besides: keys of data sources of which that is no matter
    """
    for asset in definitions.assets:
        if asset.kind not in _READERS or asset.key in besides:
            continue
        for own in asset.places:
            if any(overlap(place, own) for place in written):
                raise NotOffered(
                    f"{own} is what {asset.key} reads, so nothing else is written there. Name another place;"
                    " write_to_offline_store() adds rows to a source."
                )


def sources_of(place: str, definitions: Definitions) -> frozenset[str]:
    """Keys of the data sources that are ``place`` itself, and whose rows no view (or push source) is given."""
    readers = (asset for asset in definitions.assets if asset.kind in _READERS)
    read = {given.key for asset in readers for given in asset.inputs}
    return frozenset(
        asset.key
        for asset in definitions.assets
        if asset.kind == "data_source" and asset.key not in read and set(map(_plain, asset.places)) == {_plain(place)}
    )


def overlap(one: str, other: str) -> bool:
    """Whether two canonical URIs name the same files, or one names some of the other's.

    S3 stores count as one, because a store answers to more than one endpoint. A wildcard stands for any text.
    """
    return _holds(_plain(one), _plain(other)) or _holds(_plain(other), _plain(one))


def _holds(whole: str, part: str) -> bool:
    if any(f"{place}/".startswith(f"{whole}/") for place in (part, glob_root(part))):
        return True
    wild = any(mark in whole for mark in WILDCARDS)
    return wild and (fnmatchcase(part, whole) or fnmatchcase(f"{part}/part.parquet", whole))


def _plain(place: str) -> str:
    scheme, _, path = place.partition("://")
    if scheme.startswith("s3+"):
        path = path.partition("/")[2]
    return f"{scheme.partition('+')[0]}://{unquote(path) if scheme == 'file' else path}".rstrip("/")


def _own_places(settings: Settings, config: RepoConfig) -> Iterator[tuple[str, str]]:
    places = repository_places(settings)
    for role in _OWN_ROLES:
        for place in places.get(role, ()):
            yield role.replace("_", " "), place
            if place.startswith("file:"):
                yield from ((role.replace("_", " "), f"{place}{suffix}") for suffix in _BESIDE_SQLITE)
    named = governance_file(config.registry)
    configuration = {FEAST_FILE, named if named and "://" not in named else FEAST_FILE}
    files: dict[str, list[Path]] = {
        "policy": [settings.policy],
        "configuration": [settings.repo / name for name in sorted(configuration)],
        "expectations": [settings.repo / "expectations"],
        "digests of sources": [settings.repo / "data" / "source-digests.db"],
    }
    for what, paths in files.items():
        yield from ((what, file_place(path, base=settings.repo)) for path in paths)
