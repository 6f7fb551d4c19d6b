"""The places of a repository: where its configured stores, and our own, keep what they are given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from api.settings import Settings
from governance.errors import ConfigurationError
from governance.places import file_place, place_of, redis_places, sql_place


def repository_places(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Role → canonical URIs. An online store that we cannot locate is an unknown place, which satisfies nothing."""
    repo, own = settings.repo, settings.governance
    places = {
        "online_store": online_places(settings.document.get("online_store"), repo),
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
    config: Mapping[str, Any] = {"type": block} if isinstance(block, str) else block
    kind = str(config.get("type", "sqlite"))
    if kind == "sqlite":
        return (file_place(str(config.get("path", "data/online.db")), base=repo),)
    if kind == "redis":
        return redis_places(str(config.get("connection_string", "localhost:6379")))
    if kind == "postgres":
        port, schema = config.get("port", 5432), config.get("db_schema", "public")
        return (f"postgresql://{str(config['host']).lower()}:{port}/{config['database']}/{schema}",)
    return (f"{kind.rsplit('.', 1)[-1].lower()}://unknown",)


def _registry_places(block: Any, repo: Path) -> tuple[str, ...]:
    config: Mapping[str, Any] = {"path": block} if isinstance(block, str) else (block or {})
    path = config.get("path")
    if not isinstance(path, str) or not path:
        raise ConfigurationError("`registry:` names no path. Expected a directory such as data/registry.")
    return (place_of(path, base=repo),)
