"""Entity rows as a caller of Feast gives them: a frame, or a query over data sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from feast.data_source import DataSource
from feast.errors import EntityTimestampInferenceException, RequestDataNotFoundInEntityDfException
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView

from api.feast.denial import NotOffered
from api.feast.source_rows import dataset_of
from governance.errors import WrongQuestion
from lineage.duckdb_engine import Limits
from lineage.entity_rows import EVENT_TIMESTAMP, has_rows, spine_table
from lineage.row_order import sorted_rows
from lineage.sql_rows import EntityQuery, parsed


@dataclass(frozen=True)
class EntitySource:
    """Where the entity rows of one retrieval come from."""

    schema: pa.Schema
    """their columns, every timestamp in UTC microseconds"""
    rows: Callable[[], pa.Table]
    times: tuple[datetime | None, datetime | None] = (None, None)
    """first and last event timestamp, where they are known before the rows are"""

    @property
    def event_timestamp(self) -> str:
        """The column with the moments for which values are wanted. Raises EntityTimestampInferenceException."""
        return event_timestamp_of(self.schema)

    def require_request_data(self, views: Sequence[OnDemandFeatureView]) -> None:
        """Raise Feast's RequestDataNotFoundInEntityDfException where an on-demand view lacks a column here."""
        for view in views:
            for name in view.get_request_data_schema():
                if name not in self.schema.names:
                    raise RequestDataNotFoundInEntityDfException(feature_name=name, feature_view_name=view.name)


def entity_source(
    given: Any, *, registry: BaseRegistry, project: str, repo: Path, keys: Sequence[str], limits: Limits
) -> EntitySource:
    """``given`` as a source of entity rows.

    :param keys: join keys, by which (after the event timestamp) the rows of a query are put into an order
    :raises NotOffered: it is neither rows nor text
    :raises WrongQuestion: it is no query that fits the data sources of the project
    """
    if isinstance(given, str):
        return _queried(parsed(given), registry=registry, project=project, repo=repo, keys=keys, limits=limits)
    if not has_rows(given):
        raise NotOffered(
            f"The entity rows are a {type(given).__module__}.{type(given).__name__}. Pass a pandas DataFrame, an Arrow"
            " table, a Polars frame, or SQL over names of data sources."
        )
    table = spine_table(given)
    ends = pc.min_max(table.column(event_timestamp_of(table.schema))).as_py()
    return EntitySource(table.schema, lambda: table, (ends["min"], ends["max"]))


def event_timestamp_of(schema: pa.Schema) -> str:
    """The column with the moments for which values are wanted: ``event_timestamp``, else the only timestamp.

    Raises Feast's EntityTimestampInferenceException where there is none, or more than one.
    """
    if EVENT_TIMESTAMP in schema.names:
        return EVENT_TIMESTAMP
    times = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    if len(times) != 1:
        raise EntityTimestampInferenceException(EVENT_TIMESTAMP)
    return str(times[0])


def queried_sources(query: EntityQuery, registry: BaseRegistry, project: str) -> dict[str, DataSource]:
    """The data sources that ``query`` reads, by the names it uses. Raises WrongQuestion for one that is not there."""
    known: Mapping[str, DataSource] = {one.name: one for one in registry.list_data_sources(project, allow_cache=True)}
    found = {name: source for name in query.tables if (source := _named(name, known)) is not None}
    if missing := sorted(set(query.tables) - found.keys() - query.own):
        raise WrongQuestion(
            f"The query for entity rows reads {missing}. Expected names of data sources of this project; it has"
            f" {sorted(known)}. Put a name with other signs than letters, digits and _ into double quotes."
        )
    return found


def _named(name: str, known: Mapping[str, DataSource]) -> DataSource | None:
    if name in known:
        return known[name]
    alike = [source for other, source in known.items() if other.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None  # SQL names ignore case


def queried_schema(query: EntityQuery, sources: Mapping[str, DataSource], repo: Path) -> pa.Schema:
    """Columns and types of the entity rows that ``query`` will give. Raises WrongQuestion, SourceUnreadable."""
    return spine_table(query.schema(_tables(sources, repo)).empty_table()).schema


def _tables(sources: Mapping[str, DataSource], repo: Path) -> dict[str, Any]:
    return {name: dataset_of(source, repo) for name, source in sources.items()}


def _queried(
    query: EntityQuery, *, registry: BaseRegistry, project: str, repo: Path, keys: Sequence[str], limits: Limits
) -> EntitySource:
    sources = queried_sources(query, registry, project)
    schema = queried_schema(query, sources, repo)
    first = [event_timestamp_of(schema), *(name for name in sorted(keys) if name in schema.names)]
    return EntitySource(schema, lambda: sorted_rows(spine_table(query.rows(_tables(sources, repo), limits)), first))
