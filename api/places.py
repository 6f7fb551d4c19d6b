"""The places of a repository: where its configured stores, and our own, keep what they are given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from api.settings import Settings
from governance.errors import ConfigurationError
from governance.places import file_place, place_of, redis_places, sql_place


def repository_places(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Role → canonical URIs. An online store that we cannot locate is an unknown place, which satisfies nothing.

    Raises ConfigurationError where a setting names no place at all.
    """
    repo, own = settings.repo, settings.governance
    places = {
        # without the key, Feast makes an SQLite file
        "online_store": online_places(settings.document.get("online_store", "sqlite"), repo),
        "registry": _registry_places(settings.document.get("registry"), repo),
        "database": (sql_place(settings.database, base=repo),),
        "objects": (file_place(settings.objects, base=repo),),
        "checkpoints": (file_place(settings.checkpoints, base=repo),),
    }
    if own.place:
        places["compute"] = (place_of(own.place, base=repo),)
    if ":" not in settings.keys.split("/")[0]:
        places["keys"] = (file_place(settings.keys, base=repo),)
    return {role: uris for role, uris in places.items() if uris}


def online_places(block: Any, repo: Path) -> tuple[str, ...]:
    """Where the configured online store lies."""
    if block is None:
        return ()
    config = _mapping("online_store", block, key="type")
    kind = str(config.get("type", "sqlite"))
    if kind == "sqlite":
        return (file_place(str(config.get("path", "data/online.db")), base=repo),)
    if kind == "redis":
        return redis_places(str(config.get("connection_string", "localhost:6379")))
    if kind == "postgres":
        named = {"host": "localhost", "port": 5432, "database": "postgres", "db_schema": "public", **config}
        url = "postgresql://{host}:{port}/{database}".format(**named)
        return (sql_place(url, base=repo, schema=str(named["db_schema"])),)
    return (f"{kind.rsplit('.', 1)[-1].lower()}://unknown",)


def _registry_places(block: Any, repo: Path) -> tuple[str, ...]:
    path = _mapping("registry", block or {}, key="path").get("path")
    if not isinstance(path, str) or not path:
        raise ConfigurationError("`registry:` names no path. Expected a directory such as data/registry.")
    return (place_of(path, base=repo),)


def _mapping(name: str, block: Any, *, key: str) -> Mapping[str, Any]:
    if isinstance(block, str):
        return {key: block}
    if not isinstance(block, Mapping):
        raise ConfigurationError(f"`{name}:` is {block!r}. Expected a mapping, or the {key} alone.")
    return block
