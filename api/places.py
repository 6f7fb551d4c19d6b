"""The places of a repository: where its configured stores, and our own, keep what they are given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from api.settings import Settings
from governance.errors import ConfigurationError
from governance.places import file_place, place_of, redis_places, s3_place, sql_place


def repository_places(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Role → canonical URIs. An online store that we cannot locate is an unknown place, which satisfies nothing.

    Raises ConfigurationError where a setting names no place at all.
    """
    repo, own = settings.repo, settings.governance
    places = {
        # without the key, Feast makes an SQLite file
        "online_store": online_places(settings.document.get("online_store", "sqlite"), repo),
        "registry": _registry_places(settings),
        "database": (sql_place(settings.database, base=repo),),
        "objects": (objects_place(settings),),
        "checkpoints": (file_place(settings.checkpoints, base=repo),),
        **_offline_places(settings.document.get("offline_store"), repo),
    }
    if own.place:
        places["compute"] = (place_of(own.place, base=repo),)
    if ":" not in settings.keys.split("/")[0]:
        places["keys"] = (file_place(settings.keys, base=repo),)
    return {role: uris for role, uris in places.items() if uris}


def objects_place(settings: Settings) -> str:
    """Where the object store lies; on S3 with the endpoint that is not AWS's own, as for any other bucket."""
    if not settings.objects.startswith("s3://"):
        return file_place(settings.objects, base=settings.repo)
    return s3_place(settings.objects, endpoint=settings.s3_endpoint)


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


def _offline_places(block: Any, repo: Path) -> dict[str, tuple[str, ...]]:
    """Where the configured offline store keeps rows for a while: those that do not fit into memory, and exports."""
    config = block if isinstance(block, Mapping) else {}
    places: dict[str, tuple[str, ...]] = {}
    if spill := config.get("spill_directory"):
        places["spill"] = (file_place(str(spill), base=repo),)
    if staging := config.get("staging_location"):
        endpoint = config.get("staging_location_endpoint_override")
        on_s3 = str(staging).startswith("s3://")
        places["staging"] = (s3_place(staging, endpoint=endpoint) if on_s3 else place_of(str(staging), base=repo),)
    return places


def _registry_places(settings: Settings) -> tuple[str, ...]:
    path = _mapping("registry", settings.document.get("registry") or {}, key="path").get("path")
    if not isinstance(path, str) or not path:
        raise ConfigurationError("`registry:` names no path. Expected a directory such as data/registry.")
    if path.startswith("s3://"):
        return (s3_place(path, endpoint=settings.s3_endpoint),)
    return (place_of(path, base=settings.repo),)


def _mapping(name: str, block: Any, *, key: str) -> Mapping[str, Any]:
    if isinstance(block, str):
        return {key: block}
    if not isinstance(block, Mapping):
        raise ConfigurationError(f"`{name}:` is {block!r}. Expected a mapping, or the {key} alone.")
    return block
