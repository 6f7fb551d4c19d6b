"""Places: canonical URIs of stores, files, clusters and nodes, and the zones they lie in.

The table of URIs is in docs/formats/policy.md. A canonical URI has its scheme and host in lower case, an
explicit port, and neither user, password nor query, so it can be recorded and printed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from governance.errors import ConfigurationError
from governance.globs import matches

PORTS: Final = {
    "http": 80,
    "https": 443,
    "s3+http": 80,
    "s3+https": 443,
    "redis": 6379,
    "rediss": 6379,
    "postgresql": 5432,
    "mysql": 3306,
    "mariadb": 3306,
    "mssql": 1433,
    "oracle": 1521,
    "kafka": 9092,
    "spark": 7077,
    "ray": 10001,
}
"""The port that is written where a URL leaves it to custom."""

IN_MEMORY: Final = "memory://"
"""A store that lives in a process and nowhere else; where that process runs, its URI cannot say."""

_ALIASES: Final = {"s3a": "s3", "s3n": "s3", "postgres": "postgresql"}
_EMBEDDED: Final = frozenset({"sqlite", "duckdb"})
_NAMED: Final = frozenset({"s3", "gs", "abfs", "abfss", "hdfs", "k8s", "bigquery", "snowflake"})


@dataclass(frozen=True, slots=True)
class PlaceRule:
    """One line of the policy: what matches lies in the zone."""

    match: str
    zone: str


def zone_of(place: str, rules: Sequence[PlaceRule]) -> str | None:
    """The zone of the first rule that matches, or ``None``: an unknown place satisfies no residency."""
    return next((rule.zone for rule in rules if matches(rule.match, place)), None)


def file_place(path: str | Path, *, base: Path) -> str:
    """``file:///real/path`` of a path (relative ones below ``base``), symbolic links resolved."""
    plain = Path(path).expanduser()
    return (base / plain).resolve().as_uri()


def s3_place(uri: str, *, endpoint: str | None = None) -> str:
    """``s3://bucket/key``, or ``s3+https://host:port/bucket/key`` where the store has an endpoint of its own."""
    parts = urlsplit(uri)
    inside = f"{parts.netloc.rpartition('@')[2].lower()}{parts.path}"
    if not endpoint:
        return f"s3://{inside}"
    server = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    return f"s3+{server.scheme}://{_authority(server, scheme=server.scheme)}/{inside}"


def redis_places(connection: str) -> tuple[str, ...]:
    """One URI a node of a Redis connection string: a ``redis[s]://`` URL or Feast's ``host:port,host:port,db=1``."""
    if "://" in connection:
        parts = urlsplit(connection)
        return (f"{parts.scheme}://{_authority(parts)}/{parts.path.strip('/') or '0'}",)
    words = [word.strip() for word in connection.split(",") if word.strip()]
    options = dict(word.split("=", 1) for word in words if "=" in word)
    nodes = [word for word in words if "=" not in word]
    if not nodes:
        raise ConfigurationError("found a Redis connection string without host:port; expected 'host:port[,db=0]'")
    scheme = "rediss" if options.get("ssl", "").lower() == "true" else "redis"
    return tuple(f"{scheme}://{_authority(urlsplit(f'{scheme}://{node}'))}/{options.get('db', '0')}" for node in nodes)


def sql_place(url: str, *, base: Path, schema: str | None = None) -> str:
    """The place of a SQLAlchemy URL; SQLite and DuckDB are files. PostgreSQL's schema is ``public`` unless named."""
    parts = urlsplit(url)
    dialect = _scheme(parts)
    if dialect in _EMBEDDED:
        return _embedded_place(url, base=base)
    inside = "/".join(
        [parts.path.strip("/"), *filter(None, [schema or ("public" if dialect == "postgresql" else None)])]
    )
    return f"{dialect}://{_authority(parts, scheme=dialect)}/{inside}"


def kafka_places(servers: str, topic: str) -> tuple[str, ...]:
    """``kafka://host:port/topic`` for each bootstrap server of a comma-separated list."""
    found = [urlsplit(f"kafka://{one.strip()}") for one in servers.split(",") if one.strip()]
    return tuple(f"kafka://{_authority(one)}/{topic}" for one in found)


def kubernetes_place(cluster: str, namespace: str, pool: str) -> str:
    """``k8s://cluster/namespace/node-pool``."""
    return f"k8s://{cluster.lower()}/{namespace}/{pool}"


def place_of(uri: str, *, base: Path) -> str:
    """The canonical URI of any URI or path, by its scheme. Raises ConfigurationError where it says no place."""
    parts = urlsplit(uri)
    scheme = _scheme(parts)
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", uri):
        return file_place(uri, base=base)
    if scheme == "file":
        return file_place(unquote(parts.path), base=base)
    if scheme == "s3":
        return s3_place(uri)
    if scheme in ("redis", "rediss"):
        return redis_places(uri)[0]
    if scheme in (*_EMBEDDED, "postgresql", "mysql", "mariadb", "mssql", "oracle"):
        return sql_place(uri, base=base)
    return _plain_place(parts, scheme, uri)


def _plain_place(parts: SplitResult, scheme: str, uri: str) -> str:
    if not parts.netloc or ".." in parts.path.split("/"):
        raise ConfigurationError(f"found {uri!r}, which names no place; expected scheme://host/path without '..'")
    host = parts.netloc.rpartition("@")[2].lower() if scheme in _NAMED else _authority(parts, scheme=scheme)
    return f"{scheme}://{host}{parts.path}"


def _embedded_place(url: str, *, base: Path) -> str:
    path = unquote(url.partition("://")[2].partition("?")[0]).removeprefix("/").removeprefix("file:")
    return IN_MEMORY if path in ("", ":memory:") else file_place(path, base=base)


def _scheme(parts: SplitResult) -> str:
    """The scheme without a driver (``postgresql+psycopg`` is ``postgresql``), by its usual name."""
    whole = parts.scheme.lower()
    plain = whole if whole.startswith("s3+") else whole.partition("+")[0]
    return _ALIASES.get(plain, plain)


def _authority(parts: SplitResult, *, scheme: str | None = None) -> str:
    """``host:port`` in lower case, with the port that custom implies where none is written."""
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"found a {parts.scheme} URL whose port is no number; expected host:port") from error
    if not host:
        raise ConfigurationError(f"found a {parts.scheme} URL without host; expected {parts.scheme}://host:port/...")
    name = f"[{host}]" if ":" in host else host.rstrip(".")
    number = port if port is not None else PORTS.get(scheme or parts.scheme.lower())
    return name if number is None else f"{name}:{number}"
