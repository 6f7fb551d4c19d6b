"""The rows of Feast's SQL registry as the protobufs that every other registry holds."""

from __future__ import annotations

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


def committed_registry(config: RegistryConfig, settings: Settings) -> RegistryProto:
    """What the SQL registry of ``config`` holds now, by a connection of its own that asks and decides nothing."""
    with _connection(config, settings) as connection:
        return registry_of(connection)


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
