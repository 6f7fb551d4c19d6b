"""``GovernedProvider``: every act that Feast asks of its provider passes the gate and the recorder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from feast.feature_view import FeatureView
from feast.infra.offline_stores.offline_store import RetrievalJob
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.passthrough_provider import PassthroughProvider
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import RepoConfig

from api.assembly import Provender, opened, process_actor
from api.feast.denial import told_to_feast
from api.feast.job import GovernedRetrievalJob
from api.feast.materialization import Materialization
from api.feast.online_writes import watched, watching, written_table
from api.feast.picture import draw
from api.feast.registry_store import open_store
from api.feast.request import RetrievalRequest
from api.feast.retrieval import Retrieval
from api.feast.sources import observe_views
from api.places import repository_places
from api.settings import PURPOSE
from governance.assets import Definitions, Input
from governance.decide import decide
from governance.errors import ConfigurationError
from governance.purposes import current_purpose
from governance.verdict import Gate, Verdict
from lineage.canonical_table import ROW
from lineage.errors import SourceUnreadable
from lineage.snapshots import Snapshot
from lineage.source import FileKey, SourceState


class GovernedProvider(PassthroughProvider):  # type: ignore[misc] # Feast's classes are untyped for mypy
    """The provider of a governed repository."""

    def __init__(self, config: RepoConfig) -> None:
        super().__init__(config)
        self._digests: dict[FileKey, str] = {}
        with told_to_feast():
            if config.repo_path is None:
                raise ConfigurationError(
                    "A governed repository needs its path: open it with FeatureStore(repo_path=...), not from a bare configuration."
                )
            self._parts = opened(Path(config.repo_path).resolve(), getattr(config.registry, "governance", None))

    @property
    def parts(self) -> Provender:
        """The parts behind this provider."""
        return self._parts

    @property
    def online_store(self) -> OnlineStore:
        """The configured online store, its writes watched."""
        if super().online_store is not None:
            self._online_store = watched(self._online_store)
        return self._online_store

    def update_infra(self, *args: Any, **kwargs: Any) -> None:
        """Decide on the whole proposed registry, then let Feast change infrastructure. Raises FeastDenied."""
        store = open_store(self.repo_config.registry)
        with told_to_feast():
            if store is None:
                raise ConfigurationError(
                    "This repository's provider is governed, but its registry is not, so definitions could be written past the"
                    " policy. Set `registry: registry_store_type: api.feast.GovernedRegistryStore`."
                )
        store.decide()
        super().update_infra(*args, **kwargs)

    def get_historical_features(
        self,
        config: RepoConfig,
        feature_views: list[FeatureView | OnDemandFeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool,
        **kwargs: Any,
    ) -> RetrievalJob:
        """Decide, record the start, and give a job that can only be read as a recorded snapshot. Raises FeastDenied."""
        on_demand = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        request = RetrievalRequest(
            tuple(feature_refs), tuple(feature_views), tuple(on_demand), entity_df, full_feature_names, kwargs
        )
        with told_to_feast():
            retrieval = self._retrieval(request, registry)
            if not retrieval.verdict.allowed:
                retrieval.deny()
            retrieval.start()
        try:
            numbered, rows = _numbered(entity_df)
            arguments = (config, feature_views, feature_refs, numbered, registry, project, full_feature_names)
            job = super().get_historical_features(*arguments, **kwargs)
        except BaseException as error:
            retrieval.fail(error)
            raise
        return GovernedRetrievalJob(job, self._execution(retrieval, rows))

    def materialize_single_feature_view(
        self,
        config: RepoConfig,
        feature_view: FeatureView | OnDemandFeatureView,
        start_date: datetime,
        end_date: datetime,
        registry: BaseRegistry,
        project: str,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Decide, record the start, write, and record what was written from which sources. Raises FeastDenied."""
        arguments = (config, feature_view, start_date, end_date, registry, project, *args)
        if isinstance(feature_view, OnDemandFeatureView):
            super().materialize_single_feature_view(*arguments, **kwargs)
            return
        with told_to_feast():
            act = self._materialization(feature_view, start_date, end_date, registry)
            if not act.verdict.allowed:
                act.deny()
            act.begin()
            try:
                sources = self._observed((feature_view,))
                with watching() as batches:
                    super().materialize_single_feature_view(*arguments, **kwargs)
                self._still(sources, (feature_view,))
                act.complete(written_table(feature_view, batches), sources)
            except BaseException as error:
                act.fail(error)
                raise

    def _retrieval(self, request: RetrievalRequest, registry: BaseRegistry) -> Retrieval:
        definitions = self._definitions(registry)
        asked = tuple(Input(key, names) for key, names in request.keys(definitions).items())
        verdict = self._verdict(definitions, "retrieve", asked)
        store = type(self.offline_store)
        engine = {"name": store.__name__, "version": version("duckdb" if "duckdb" in str(store.__mro__).lower() else "feast")}
        return Retrieval(self._parts, request, definitions, verdict, engine)

    def _materialization(
        self, view: FeatureView, start: datetime, end: datetime, registry: BaseRegistry
    ) -> Materialization:
        definitions = self._definitions(registry)
        kind = "stream_feature_view" if f"stream_feature_view:{view.name}" in definitions else "feature_view"
        verdict = self._verdict(definitions, "materialize", (Input(f"{kind}:{view.name}"),))
        places = repository_places(self._parts.settings).get("online_store", ())
        moments = (_aware(start), _aware(end))
        return Materialization(self._parts, view, *moments, definitions, verdict, " ".join(places))

    def _definitions(self, registry: BaseRegistry) -> Definitions:
        settings = self._parts.settings
        return draw(registry.proto(), project=settings.project, repo=settings.repo)

    def _verdict(self, definitions: Definitions, gate: Gate, asked: Sequence[Input]) -> Verdict:
        return decide(
            definitions,
            self._parts.policy(),
            gate=gate,
            places=repository_places(self._parts.settings),
            objects=asked,
            purpose=current_purpose(otherwise=os.environ.get(PURPOSE)),
            caller=process_actor(),
            today=datetime.now(UTC).date(),
        )

    def _execution(
        self, retrieval: Retrieval, rows: int | None
    ) -> Callable[[RetrievalJob], tuple[pa.Table, Snapshot]]:
        def execute(job: RetrievalJob) -> tuple[pa.Table, Snapshot]:
            try:
                sources = self._observed(retrieval.request.views)
                table = retrieval.execute(job, rows)
                self._still(sources, retrieval.request.views)
                snapshot = retrieval.complete(table, sources)
            except BaseException as error:
                retrieval.fail(error)
                raise
            return table, snapshot

        return execute

    def _observed(self, views: tuple[FeatureView, ...]) -> tuple[SourceState, ...]:
        return observe_views(views, self._parts.settings.repo, self._digests)

    def _still(self, before: tuple[SourceState, ...], views: tuple[FeatureView, ...]) -> None:
        """Raise SourceUnreadable where a source is not what it was before its rows were read."""
        after = self._observed(views)
        for old, new in zip(before, after, strict=True):
            if old.files != new.files:
                raise SourceUnreadable(
                    f"The source {old.name} changed while it was read, so its rows belong to no one state. Run again when"
                    " its writer is done."
                )


def _numbered(spine: pd.DataFrame | str | None) -> tuple[pd.DataFrame | str | None, int | None]:
    """The spine with a column that numbers its rows, and how many there are; others have no order to keep."""
    if not isinstance(spine, pd.DataFrame):
        return spine, None
    if ROW in spine.columns:
        raise ConfigurationError(f"The entity rows already have a column {ROW}, which is ours. Rename it.")
    return spine.assign(**{ROW: np.arange(len(spine), dtype=np.int64)}), len(spine)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
