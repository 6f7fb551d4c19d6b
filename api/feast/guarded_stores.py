"""The stores as a provider hands them out: whoever holds one gets no rows past the provider.

Feast calls its stores by attribute, so these stand before the configured store and pass on what gives no row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from api.feast.denial import NotOffered
from api.feast.own_acts import refuse_outside_acts

_HARMLESS = frozenset(
    {
        "ensure_filter_by_created_timestamp_supported",
        "get_table_column_names_and_types_from_data_source",
        "validate_data_source",
    }
)
"""What an offline store may be asked by anybody: it gives names and types, no value."""

_READS = frozenset(
    {"get_historical_features", "pull_all_from_table_or_query", "pull_latest_from_table_or_query"},
)
"""What an offline store is asked within an act of the provider; everything else would write or summarize rows."""

_ONLINE_READS = ("online_read", "get_online_features", "retrieve_online_documents", "read_precomputed_vectors")


class GuardedOfflineStore:
    """An offline store that gives rows within acts of the provider only, and writes none."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        if name in _HARMLESS or not callable(value):
            return value
        return _within_acts(name, value) if name in _READS else _refusing(name)


class GuardedOnlineStore:
    """An online store that is read through ``get_online_features()`` of a FeatureStore only; its writes are watched."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name.startswith(_ONLINE_READS):
            return _unread(name)
        return getattr(self._store, name)


def refuse_offline_write(way: str) -> NoReturn:
    """Raise NotOffered: what is written to a source nobody records yet."""
    raise NotOffered(
        f"{way}() is refused: it would change or summarize the rows of a source without a record. Use"
        " write_to_offline_store(), push() or write_logged_features() of a FeatureStore over this repository, which"
        " record what they write."
    )


def _within_acts(name: str, read: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*arguments: Any, **options: Any) -> Any:
        refuse_outside_acts(f"offline_store.{name}()")
        return read(*arguments, **options)

    return guarded


def _refusing(name: str) -> Callable[..., NoReturn]:
    def refused(*_arguments: Any, **_options: Any) -> NoReturn:
        refuse_offline_write(f"offline_store.{name}")

    return refused


def _unread(name: str) -> Callable[..., NoReturn]:
    def refused(*_arguments: Any, **_options: Any) -> NoReturn:
        raise NotOffered(
            f"{name}() of the online store is refused: its values would leave without a verdict. Use"
            " get_online_features() of a FeatureStore over this repository."
        )

    return refused
