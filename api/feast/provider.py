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
from feast.feature_service import FeatureService
from feast.feature_view import FeatureView
from feast.infra.compute_engines.base import ComputeEngine
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import RetrievalJob
from feast.infra.passthrough_provider import PassthroughProvider
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.online_response import OnlineResponse
from feast.repo_config import RepoConfig
from feast.saved_dataset import SavedDataset

from api.assembly import Provender
from api.feast.asof_store import write_parquet
from api.feast.caller import current_caller
from api.feast.denial import NotOffered, told_to_feast
from api.feast.gate import ApplyGate
from api.feast.governed import parts_of
from api.feast.guarded_stores import GuardedOfflineStore, GuardedOnlineStore, refuse_offline_write
from api.feast.job import GovernedRetrievalJob, RefusedJob
from api.feast.materialization import Materialization
from api.feast.online_gate import OnlineGate, as_registered
from api.feast.online_writes import watched, watching, written_table
from api.feast.own_acts import ending, own_act
from api.feast.picture import draw
from api.feast.registry_store import open_stores
from api.feast.request import RetrievalRequest
from api.feast.retrieval import Retrieval
from api.feast.sources import files_now, observe_views
from api.places import repository_places
from api.settings import PURPOSE
from governance.assets import Definitions, Input
from governance.decide import decide
from governance.errors import ConfigurationError
from governance.places import place_of
from governance.policy import Policy
from governance.purposes import current_purpose
from governance.verdict import Gate, Verdict
from lineage.canonical_table import ROW
from lineage.errors import SourceUnreadable
from lineage.snapshots import Snapshot
from lineage.source import FileKey, SourceState


class GovernedProvider(PassthroughProvider):
    """The provider of a governed repository."""

    def __init__(self, config: RepoConfig) -> None:
        super().__init__(config)
        self._digests: dict[FileKey, str] = {}
        with told_to_feast():
            self._parts = parts_of(config)
        self._online_gate = OnlineGate(self._parts, purpose=_purpose_under)

    @property
    def parts(self) -> Provender:
        """The parts behind this provider."""
        return self._parts

    @property
    def online_store(self) -> GuardedOnlineStore | None:  # type: ignore[override] # None where there is none, as in Feast
        """The configured online store, its writes watched and its reads left to :meth:`get_online_features`."""
        store = self._watched_store()
        return None if store is None else GuardedOnlineStore(store)

    @property
    def offline_store(self) -> GuardedOfflineStore:  # type: ignore[override] # Feast declares what this stands before
        """The configured offline store, which gives rows within acts of this provider only."""
        return GuardedOfflineStore(super().offline_store)

    def _watched_store(self) -> Any:
        """The configured online store itself, its writes watched; None where there is none."""
        store = super().online_store
        if store is not None:
            store = watched(store)
            self.__dict__["_online_store"] = store  # Feast declares the attribute as None
        return store

    @property
    def batch_engine(self) -> ComputeEngine:
        """The configured compute engine. Raises NotOffered for one that Feast would call past this provider."""
        engine = super().batch_engine
        if engine.supports_batch:
            raise NotOffered(f"{type(engine).__name__} would write online values that nobody sees. {_ENGINES}")
        return engine

    def update_infra(self, *args: Any, **kwargs: Any) -> None:
        """Decide on the whole proposed registry, then let Feast change infrastructure. Raises FeastDenied."""
        with told_to_feast():
            stores = open_stores(self.repo_config.registry)
            if not stores:
                raise ConfigurationError(
                    "This repository's provider is governed, but its registry is not: definitions could be written"
                    " past the policy. Set `registry: registry_store_type: api.feast.GovernedRegistryStore`."
                )
            for store in stores:
                self._refuse_other_repository(store.gate.parts.settings.repo)
                store.decide(ApplyGate(self._parts))
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
        with told_to_feast():
            _refuse_unknown_rows(entity_df)
            on_demand = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
            request = RetrievalRequest(
                tuple(feature_refs),
                tuple(view for view in feature_views if isinstance(view, FeatureView)),
                tuple(on_demand),
                entity_df,
                full_feature_names,
                kwargs,
                self._purpose(),
            )
            retrieval = self._retrieval(request, registry)
            if not retrieval.verdict.allowed:
                retrieval.deny()
            make = super().get_historical_features

            def engine_job() -> RetrievalJob:
                rows = _numbered(request.spine)
                return make(config, feature_views, feature_refs, rows, registry, project, full_feature_names, **kwargs)

            with ending(retrieval.fail), own_act():
                retrieval.start()
                files = files_now(request.views, self._parts.settings.repo)
                job = engine_job()
        return GovernedRetrievalJob(job, self._execution(retrieval, files, engine_job), self._copying(retrieval))

    def retrieve_saved_dataset(self, config: RepoConfig, dataset: SavedDataset) -> RetrievalJob:
        """A job that gives nothing out: what was saved is a snapshot, which is verified when it is read."""
        return RefusedJob(
            f"The rows of saved dataset {dataset.name} would leave unrecorded. Open the snapshot that was saved"
            " instead: lineage.open_snapshot(job.snapshot.digest)."
        )

    def retrieve_feature_service_logs(self, feature_service: Any, *args: Any, **kwargs: Any) -> RetrievalJob:
        """A job that gives nothing out: no verdict speaks of served values yet."""
        return RefusedJob(f"The logs of feature service {feature_service.name} would leave without a verdict.")

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
        with told_to_feast():
            feature_view = _recordable(feature_view)
            if not isinstance(self.batch_engine, LocalComputeEngine):
                raise NotOffered(f"{type(self.batch_engine).__name__} writes online values out of sight. {_ENGINES}")
            act = self._materialization(feature_view, start_date, end_date, registry)
            if not act.verdict.allowed:
                act.deny()
            with ending(act.fail):
                act.begin()
                sources = self._observed((feature_view,))
                with own_act(), watching() as batches:
                    super().materialize_single_feature_view(*arguments, **kwargs)
                self._still(sources, (feature_view,))
                self._parts.recorder.record(act.result(written_table(feature_view, batches), sources))

    def get_online_features(
        self,
        config: RepoConfig,
        features: list[str] | FeatureService,
        entity_rows: Any,
        registry: BaseRegistry,
        project: str,
        *args: Any,
        **kwargs: Any,
    ) -> OnlineResponse:
        """Decide, record the first decision of its kind, and only then read. Raises FeastDenied."""
        asked = self._enter_online(features, registry, project)
        store = self._watched_store()
        answer: OnlineResponse = store.get_online_features(
            config, asked, entity_rows, registry, project, *args, **kwargs
        )
        return answer

    async def get_online_features_async(
        self,
        config: RepoConfig,
        features: list[str] | FeatureService,
        entity_rows: Any,
        registry: BaseRegistry,
        project: str,
        *args: Any,
        **kwargs: Any,
    ) -> OnlineResponse:
        """The same, for a store that reads asynchronously. Raises FeastDenied."""
        asked = self._enter_online(features, registry, project)
        store = self._watched_store()
        answer: OnlineResponse = await store.get_online_features_async(
            config, asked, entity_rows, registry, project, *args, **kwargs
        )
        return answer

    def offline_write_batch(self, *args: Any, **kwargs: Any) -> None:
        """Refused: the files of a source would change unrecorded."""
        refuse_offline_write("offline_write_batch")

    def ingest_df_to_offline_store(self, feature_view: FeatureView, table: pa.Table) -> None:
        """Refused: the files of a source would change unrecorded."""
        refuse_offline_write("write_to_offline_store")

    def write_feature_service_logs(self, *args: Any, **kwargs: Any) -> None:
        """Refused: served values would be kept unrecorded."""
        refuse_offline_write("write_logged_features")

    def _enter_online(
        self, features: list[str] | FeatureService, registry: BaseRegistry, project: str
    ) -> list[str] | FeatureService:
        with told_to_feast():
            asked = as_registered(features, registry, project)
            self._online_gate.enter(asked, registry, caller=current_caller())
        return asked

    def _refuse_other_repository(self, theirs: Path) -> None:
        if theirs != self._parts.settings.repo:
            raise ConfigurationError(
                f"The registry was opened in {theirs}, the provider in {self._parts.settings.repo}: from a bare"
                " configuration Feast takes the working directory for the repository. Open it by repo_path."
            )

    def _retrieval(self, request: RetrievalRequest, registry: BaseRegistry) -> Retrieval:
        definitions = self._definitions(registry)
        asked = tuple(Input(key, names) for key, names in request.keys(definitions).items())
        verdict = self._verdict(definitions, "retrieve", asked, request.purpose)
        store = type(super().offline_store)
        engine = "duckdb" if "duckdb" in str(store.__mro__).lower() else "feast"
        named = {"name": store.__name__, "version": version(engine)}
        return Retrieval(self._parts, request, definitions, verdict, current_caller(), named)

    def _materialization(
        self, view: FeatureView, start: datetime, end: datetime, registry: BaseRegistry
    ) -> Materialization:
        definitions, purpose = self._definitions(registry), self._purpose()
        kind = "stream_feature_view" if f"stream_feature_view:{view.name}" in definitions else "feature_view"
        verdict = self._verdict(definitions, "materialize", (Input(f"{kind}:{view.name}"),), purpose)
        places = " ".join(repository_places(self._parts.settings).get("online_store", ()))
        moments = (_aware(start), _aware(end))
        return Materialization(self._parts, view, *moments, definitions, verdict, purpose, current_caller(), places)

    def _definitions(self, registry: BaseRegistry) -> Definitions:
        settings = self._parts.settings
        return draw(registry.proto(), project=settings.project, repo=settings.repo)

    def _purpose(self) -> str | None:
        return _purpose_under(self._parts.policy(), current_caller())

    def _verdict(
        self, definitions: Definitions, gate: Gate, asked: Sequence[Input], purpose: str | None, **more: tuple[str, ...]
    ) -> Verdict:
        return decide(
            definitions,
            self._parts.policy(),
            gate=gate,
            places={**repository_places(self._parts.settings), **more},
            objects=asked,
            purpose=purpose,
            caller=current_caller(),
            today=datetime.now(UTC).date(),
        )

    def _execution(
        self, retrieval: Retrieval, files: object, engine_job: Callable[[], RetrievalJob]
    ) -> Callable[[RetrievalJob], tuple[pa.Table, Snapshot]]:
        """What a job does when it is first asked for its rows."""
        views, spine, repo = retrieval.request.views, retrieval.request.spine, self._parts.settings.repo

        def execute(job: RetrievalJob) -> tuple[pa.Table, Snapshot]:
            with ending(retrieval.fail), own_act():
                sources = self._observed(views)
                # an engine may list files when its job is made; those that are there now are the ones on record
                current = job if files_now(views, repo) == files else engine_job()
                table = retrieval.execute(current, len(spine) if isinstance(spine, pd.DataFrame) else None)
                self._still(sources, views)
                snapshot, act = retrieval.result(table, sources)
                self._parts.recorder.record(act)
            return table, snapshot

        return execute

    def _copying(self, retrieval: Retrieval) -> Callable[[pa.Table, SavedDatasetFileStorage, bool], None]:
        """What a job does when its rows shall also lie in a file of the caller's."""
        request, definitions, repo = retrieval.request, retrieval.definitions, self._parts.settings.repo

        def copy(rows: pa.Table, storage: SavedDatasetFileStorage, overwrite: bool) -> None:
            asked = [Input(key, names) for key, names in request.keys(definitions).items()]
            place = place_of(storage.file_options.uri, base=repo)
            verdict = self._verdict(definitions, "retrieve", asked, request.purpose, saved_dataset=(place,))
            ApplyGate(self._parts).enforce(verdict)
            write_parquet(rows, storage, repo, allow_overwrite=overwrite)

        return copy

    def _observed(self, views: tuple[FeatureView, ...]) -> tuple[SourceState, ...]:
        return observe_views(views, self._parts.settings.repo, self._digests)

    def _still(self, before: tuple[SourceState, ...], views: tuple[FeatureView, ...]) -> None:
        """Raise SourceUnreadable where a source is not what it was before its rows were read."""
        after = self._observed(views)
        for old, new in zip(before, after, strict=True):
            if old.files != new.files:
                raise SourceUnreadable(
                    f"The source {old.name} changed while it was read, so its rows belong to no one state. Run again"
                    " when its writer is done."
                )


_ENGINES = "Materialize with Feast's local compute engine: it is the one whose writes are recorded."


def _purpose_under(policy: Policy, caller: str) -> str | None:
    """What ``caller`` acts for: the purpose stated here, or the only one that the policy grants."""
    return policy.purpose_of(current_purpose(otherwise=os.environ.get(PURPOSE)), caller=caller)


def _recordable(view: FeatureView | OnDemandFeatureView) -> FeatureView:
    """``view``, if all that its materialization writes will be on record. Raises NotOffered."""
    if isinstance(view, OnDemandFeatureView):
        raise NotOffered(
            f"The on-demand view {view.name} would be materialized without a record of its values. Remove"
            " write_to_online_store: it is computed when it is read."
        )
    if getattr(view, "offline", False):
        raise NotOffered(
            f"The view {view.name} has offline=True, so that materializing it would rewrite its source without a"
            " record. Remove it from the view."
        )
    return view


def _refuse_unknown_rows(spine: object) -> None:
    if spine is not None and not isinstance(spine, pd.DataFrame | str):
        raise NotOffered(
            f"The entity rows are a {type(spine).__module__}.{type(spine).__name__}, whose rows cannot be followed"
            " through the join. Pass a pandas DataFrame."
        )
    if isinstance(spine, pd.DataFrame) and ROW in spine.columns:
        raise ConfigurationError(f"The entity rows already have a column {ROW}, which is ours. Rename it.")


def _numbered(spine: pd.DataFrame | str | None) -> pd.DataFrame | str | None:
    """The spine with a column that numbers its rows; others have no order to keep."""
    return spine.assign(**{ROW: np.arange(len(spine), dtype=np.int64)}) if isinstance(spine, pd.DataFrame) else spine


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
