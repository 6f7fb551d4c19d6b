"""What is written to the online store, seen on its way in.

The configured store's class is extended by :class:`WatchedWrites`, so that whoever holds the store (Feast's
compute engine, its feature server) writes through it: what a materialization or an ingestion writes is noted, and what
would be written with nobody watching is refused before it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, NoReturn

import pyarrow as pa
from feast.feature_view import FeatureView
from feast.infra.online_stores.online_store import OnlineStore
from feast.type_map import feast_value_type_to_pa, feast_value_type_to_python_type
from feast.utils import make_tzaware

from api.feast.denial import NotOffered
from governance.canonical import canonical_json
from lineage.canonical_table import TIMESTAMP

Row = tuple[Any, dict[str, Any], datetime, datetime | None]
"""Feast's quadruplet: entity key, values by feature, event timestamp, created timestamp."""

EVENT_TIME = "event_timestamp"
"""The column of :func:`written_table` with the moment of each value."""

_STRUCTURED = ("MAP", "JSON", "STRUCT", "SCALAR_MAP")
"""How the names of Feast's value types begin whose values have parts."""

_WATCH: ContextVar[list[tuple[FeatureView, Sequence[Row]]] | None] = ContextVar("provender_online_writes", default=None)


class WatchedWrites:
    """Mixed in before an online store's class: notes each batch that was written, refuses what nobody watches."""

    def online_write_batch(
        self, config: Any, table: FeatureView, data: list[Row], progress: Callable[[int], Any] | None
    ) -> None:
        """Write the batch, then note it. Raises NotOffered where nobody watches."""
        noted = _noted(table)
        super().online_write_batch(config, table, data, progress)  # type: ignore[misc] # the store's own method
        noted.append((table, list(data)))

    async def online_write_batch_async(
        self, config: Any, table: FeatureView, data: list[Row], progress: Callable[[int], Any] | None
    ) -> None:
        """Write the batch, then note it. Raises NotOffered where nobody watches."""
        noted = _noted(table)
        await super().online_write_batch_async(config, table, data, progress)  # type: ignore[misc] # the store's own
        noted.append((table, list(data)))

    def update_online_store(self, *_arguments: Any, **_options: Any) -> NoReturn:
        """Refused: values would change by an expression that the store computes."""
        raise _unrecorded("update_online_store()")

    async def update_online_store_async(self, *_arguments: Any, **_options: Any) -> NoReturn:
        """Refused: values would change by an expression that the store computes."""
        raise _unrecorded("update_online_store_async()")

    def write_precomputed_vector(self, *_arguments: Any, **_options: Any) -> NoReturn:
        """Refused: what is served from it would stand on no materialization."""
        raise _unrecorded("write_precomputed_vector()")


def _noted(table: Any) -> list[tuple[FeatureView, Sequence[Row]]]:
    """The batches of the act under way. Raises NotOffered where there is none."""
    noted = _WATCH.get()
    if noted is None:
        raise _unrecorded(f"A write of {getattr(table, 'name', 'a view')}")
    return noted


def _unrecorded(way: str) -> NotOffered:
    return NotOffered(
        f"{way} to the online store is refused: nobody would record what was written, so nothing was. Use"
        " materialize(), write_to_online_store() or push() of a FeatureStore over this repository, which record it."
    )


def watched(store: OnlineStore) -> OnlineStore:
    """A store of the same class with :class:`WatchedWrites` in front; Feast makes its stores without arguments."""
    if isinstance(store, WatchedWrites):
        return store
    kind = type(store)
    made: OnlineStore = type(kind.__name__, (WatchedWrites, kind), {"__module__": kind.__module__})()
    return made


@contextmanager
def watching() -> Iterator[list[tuple[FeatureView, Sequence[Row]]]]:
    """Within, the batches that this task writes online, as they are written."""
    noted: list[tuple[FeatureView, Sequence[Row]]] = []
    token = _WATCH.set(noted)
    try:
        yield noted
    finally:
        _WATCH.reset(token)


def written_table(view: FeatureView, batches: Sequence[tuple[FeatureView, Sequence[Row]]]) -> pa.Table:
    """The rows written for ``view`` as Arrow: join keys, features, event and created timestamps in UTC.

    Maps, structs and JSON, whose parts Feast declares to nobody, stand as the text of their RFC 8785 JSON.
    """
    rows = [row for table, data in batches if table.name == view.name for row in data]
    columns: dict[str, pa.Array] = {}
    for column in (one for one in view.entity_columns if one.name != "__dummy_id"):
        values = [_python(key.entity_values[list(key.join_keys).index(column.name)]) for key, *_ in rows]
        columns[column.name] = pa.array(values, arrow_type(column))
    for feature in view.features:
        columns[feature.name] = _column(feature, [_python(values.get(feature.name)) for _, values, *_ in rows])
    columns[EVENT_TIME] = pa.array([make_tzaware(moment) for _, _, moment, _ in rows], TIMESTAMP)
    created = [None if moment is None else make_tzaware(moment) for *_, moment in rows]
    columns["created_timestamp"] = pa.array(created, TIMESTAMP)
    return pa.table(columns)


def _column(feature: Any, values: list[Any]) -> pa.Array:
    if feature.dtype.to_value_type().name.startswith(_STRUCTURED):
        return pa.array([None if value is None else canonical_json(value).decode() for value in values], pa.string())
    return pa.array(values, arrow_type(feature))


def _python(value: Any) -> Any:
    return None if value is None else feast_value_type_to_python_type(value)


def arrow_type(field: Any) -> pa.DataType:
    """The Arrow type that a Feast field declares; times are UTC microseconds."""
    declared = feast_value_type_to_pa(field.dtype.to_value_type())
    return TIMESTAMP if pa.types.is_timestamp(declared) else declared
