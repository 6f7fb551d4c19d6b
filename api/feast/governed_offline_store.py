"""``GovernedOfflineStore``: any of Feast's offline stores, governed also where Feast builds it past the provider.

    offline_store: {type: api.feast.GovernedOfflineStore, store: {type: duckdb}}

Feast's offline server makes a store straight from the configuration. This one gives rows by asking a provider of the
same repository, so that a client of that server meets the verdict, and leaves the record, of any other retrieval. The
provider itself works on the store named within.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from feast.data_source import DataSource
from feast.feature_view import FeatureView
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob
from feast.infra.offline_stores.offline_utils import get_offline_store_from_config
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel, RepoConfig

from api.feast.denial import FeastMisconfigured, NotOffered, told_to_feast

if TYPE_CHECKING:
    import pyarrow as pa

    from api.feast.provider import GovernedProvider


class GovernedOfflineStoreConfig(FeastConfigBaseModel):
    """Settings of :class:`GovernedOfflineStore`."""

    type: str = "api.feast.GovernedOfflineStore"
    store: dict[str, Any]
    """the ``offline_store:`` block of the store that does the work"""


class GovernedOfflineStore(OfflineStore):
    """Stands before the store that ``store:`` names; gives rows by acts of a provider only."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: Any,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        **kwargs: Any,
    ) -> RetrievalJob:
        """The provider's retrieval: decided and recorded. Raises FeastDenied."""
        return _provider(config).get_historical_features(
            config,
            list(feature_views),
            feature_refs,
            entity_df,
            registry,
            project,
            full_feature_names,
            **kwargs,
        )

    @staticmethod
    def pull_latest_from_table_or_query(*_arguments: Any, **_options: Any) -> RetrievalJob:
        """Refused: rows of a source would leave as no view's."""
        raise _without_a_view("pull_latest_from_table_or_query()")

    @staticmethod
    def pull_all_from_table_or_query(*_arguments: Any, **_options: Any) -> RetrievalJob:
        """Refused: rows of a source would leave as no view's."""
        raise _without_a_view("pull_all_from_table_or_query()")

    @staticmethod
    def offline_write_batch(
        config: RepoConfig, feature_view: FeatureView, table: pa.Table, progress: Callable[[int], Any] | None
    ) -> None:
        """The provider's write: decided and recorded. Raises FeastDenied."""
        _provider(config).offline_write_batch(config, feature_view, table, progress)

    @staticmethod
    def write_logged_features(*_arguments: Any, **_options: Any) -> None:
        """Refused: the store is not told of which feature service the logs are."""
        raise _without_a_view("write_logged_features()")

    def validate_data_source(self, config: RepoConfig, data_source: DataSource) -> None:
        """What the store within says of the source."""
        inner = unwrapped(config)
        get_offline_store_from_config(inner.offline_store).validate_data_source(inner, data_source)

    def get_table_column_names_and_types_from_data_source(self, config: RepoConfig, data_source: DataSource) -> Any:
        """What the store within says of the source."""
        inner = unwrapped(config)
        store = get_offline_store_from_config(inner.offline_store)
        return store.get_table_column_names_and_types_from_data_source(inner, data_source)


def unwrapped(config: RepoConfig) -> RepoConfig:
    """``config`` with the store within where it names a :class:`GovernedOfflineStore`; else itself.

    Raises FeastMisconfigured where ``store:`` names none, or this one again.
    """
    wrapper = config.offline_store
    if not isinstance(wrapper, GovernedOfflineStoreConfig):
        return config
    kind = wrapper.store.get("type")
    if not isinstance(kind, str) or kind.endswith("GovernedOfflineStore"):
        raise FeastMisconfigured(
            f"`offline_store: store: type:` is {kind!r}. Expected the type of one of Feast's offline stores, such as"
            " duckdb or spark, or api.feast.AsofOfflineStore."
        )
    registry = config.registry  # made before the copy, so that both name the same registry
    inner = config.model_copy()
    inner.offline_config, inner._offline_store = dict(wrapper.store), None  # noqa: SLF001 - Feast has no other setter
    assert inner.registry is registry  # noqa: S101 - what open stores are found by
    return inner


def _provider(config: RepoConfig) -> GovernedProvider:
    from api.feast.provider import GovernedProvider

    with told_to_feast():
        return GovernedProvider(config)


def _without_a_view(way: str) -> NotOffered:
    return NotOffered(
        f"{way}: rows would leave or be written without a verdict and a record. Use get_historical_features() or"
        " write_to_offline_store() of a FeatureStore, over this server or over the repository."
    )
