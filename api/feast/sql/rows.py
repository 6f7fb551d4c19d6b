"""The rows of Feast's SQL registry as the protobufs that every other registry holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from feast.infra.registry import sql
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import RegistryConfig
from sqlalchemy import Connection, NullPool, Table, create_engine, inspect, select
from sqlalchemy.engine import make_url

from api.settings import Settings
from lineage.database import database_errors, database_url

_ROWS: Final[tuple[tuple[str, Table, str], ...]] = (
    ("projects", sql.projects, "project_proto"),
    ("entities", sql.entities, "entity_proto"),
    ("data_sources", sql.data_sources, "data_source_proto"),
    ("feature_views", sql.feature_views, "feature_view_proto"),
    ("stream_feature_views", sql.stream_feature_views, "feature_view_proto"),
    ("on_demand_feature_views", sql.on_demand_feature_views, "feature_view_proto"),
    ("label_views", sql.label_views, "feature_view_proto"),
    ("feature_services", sql.feature_services, "feature_service_proto"),
    ("saved_datasets", sql.saved_datasets, "saved_dataset_proto"),
    ("validation_references", sql.validation_references, "validation_reference_proto"),
    ("permissions", sql.permissions, "permission_proto"),
)
"""Field of the registry's message, the table of its objects, and the column that holds each as bytes."""


def registry_of(connection: Connection) -> RegistryProto:
    """What the registry holds, as this connection's transaction sees it; a table that is not there holds nothing."""
    registry = RegistryProto()
    there = set(inspect(connection).get_table_names())
    for field, table, column in _ROWS:
        if table.name in there:
            for row in connection.execute(select(table).order_by(*table.primary_key.columns)):
                _add(registry, field, row._mapping[column], row._mapping["project_id"])  # noqa: SLF001 - its public name
    return registry


@contextmanager
def committed_registry(config: RegistryConfig, settings: Settings, *, alone: bool) -> Iterator[RegistryProto]:
    """What the SQL registry of ``config`` holds, by a connection of its own that decides nothing.

    :param alone: whether nobody may commit within; else it is what was there at one moment
    """
    with _connection(config, settings) as connection:
        if connection.dialect.name == "sqlite":
            leave_transactions_to_us(raw(connection))
            raw(connection).execute("BEGIN IMMEDIATE" if alone else "BEGIN")
        elif alone:
            lock(connection)
        else:
            connection.execution_options(isolation_level="REPEATABLE READ")
        yield registry_of(connection)
        connection.rollback()


def lock(connection: Connection) -> None:
    """Let no other transaction that wrote commit before this one ends; SQLite lets one write at a time anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


_LOCK: Final = int.from_bytes(hashlib.sha256(b"provender sql registry").digest()[:8], "big", signed=True)


def raw(connection: Connection) -> Any:
    """The driver's connection."""
    return connection.connection.dbapi_connection


def leave_transactions_to_us(driver: Any, _record: object = None) -> None:
    """Let Python's SQLite driver begin no transaction: it begins none for a savepoint, which then commits by itself."""
    driver.isolation_level = None


def governed_sql(config: RegistryConfig) -> bool:
    """Whether ``config`` is Feast's SQL registry with our plugin."""
    return config.registry_type == "sql" and PLUGIN in engine_options(config).get("plugins", ())


def engine_options(config: RegistryConfig) -> dict[str, Any]:
    """What ``registry: sqlalchemy_config_kwargs:`` says."""
    return dict(getattr(config, "sqlalchemy_config_kwargs", None) or {})


PLUGIN: Final = "provender"
CONFIGURATION: Final = "provender_config"
"""Names, among the engine's options, of the plugin and of the file that holds the governance block."""


def _add(registry: RegistryProto, field: str, data: bytes, project: str) -> None:
    one = getattr(registry, field).add()
    one.ParseFromString(data)
    if field != "projects":
        getattr(one, "spec", one).project = project  # as Feast's own reading does


@contextmanager
def _connection(config: RegistryConfig, settings: Settings) -> Iterator[Connection]:
    options = {
        name: value for name, value in engine_options(config).items() if name not in ("plugins", CONFIGURATION, "echo")
    }
    url = make_url(database_url(config.path, base=settings.repo)).difference_update_query(["plugin"])
    with database_errors():
        engine = create_engine(url, **{**options, "poolclass": NullPool})
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()
