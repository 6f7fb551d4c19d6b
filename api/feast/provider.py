"""``GovernedProvider``: every act that Feast asks of its provider passes the gate and the recorder."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from feast.feature_service import FeatureService
from feast.feature_view import FeatureView
from feast.infra.compute_engines.base import ComputeEngine
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import RetrievalJob
from feast.infra.passthrough_provider import PassthroughProvider
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.online_response import OnlineResponse
from feast.repo_config import RepoConfig
from feast.saved_dataset import SavedDataset

from api.assembly import Provender
from api.feast import distributed
from api.feast.asking import asked, numbered
from api.feast.asof_store import AsofOfflineStore
from api.feast.caller import current_caller
from api.feast.denial import told_to_feast
from api.feast.distributed import ChunkedJob, written_chunks
from api.feast.file_acts import FileActs
from api.feast.gate import ApplyGate
from api.feast.governed import parts_of
from api.feast.governed_offline_store import unwrapped
from api.feast.guarded_stores import GuardedOfflineStore, GuardedOnlineStore
from api.feast.ingestion import ingesting
from api.feast.job import GovernedRetrievalJob
from api.feast.judging import Judging, purpose_under
from api.feast.materialization import Materialization
from api.feast.offline_files import Staging
from api.feast.online_gate import OnlineGate
from api.feast.online_writes import watched, watching, written_table
from api.feast.own_acts import ending, own_act
from api.feast.placed_store import PlacedOfflineStore
from api.feast.pulled import PullRequest, logs_request, saved_dataset_request
from api.feast.recordable import recordable, recordable_engine, require_local
from api.feast.registered_views import require_registered
from api.feast.registry_history import refuse_old_version
from api.feast.registry_store import open_stores
from api.feast.request import RetrievalRequest
from api.feast.retrieval import Retrieval
from api.feast.sources import Read, check_views, keys_now, observe_views, one_state
from api.feast.sql.gate import SqlGate
from api.feast.sql.rows import governed_sql
from governance.assets import Definitions, Input
from governance.errors import ConfigurationError
from lineage.opened_snapshot import OpenSnapshot
from lineage.recorded_snapshots import RecordedSnapshots
from lineage.snapshots import Snapshot
from lineage.sources.digest_cache import DigestCache
from lineage.sources.state import SourceState


class GovernedProvider(PassthroughProvider):
    """The provider of a governed repository."""

    def __init__(self, config: RepoConfig) -> None:
        with told_to_feast():
            refuse_old_version(config.registry)
            self._parts = parts_of(config)
        config.repo_path = self._parts.settings.repo  # absolute: Feast would follow a change of the working directory
        config = unwrapped(config)
        super().__init__(config)
        self._digests = DigestCache(self._parts.settings.repo / "data" / "source-digests.db")
        self._judging = Judging(self._parts, config)
        self._files = FileActs(self._judging, self._digests)
        self._online_gate = OnlineGate(self._parts, purpose=purpose_under)

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
        store = super().offline_store
        if not self._reads_pinned:  # our own opens sources as they are recorded
            store = PlacedOfflineStore(store, self._parts.settings.repo)
        return GuardedOfflineStore(store)

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
        return recordable_engine(super().batch_engine)

    def update_infra(self, *args: Any, **kwargs: Any) -> None:
        """Decide on the whole proposed registry, then let Feast change infrastructure. Raises FeastDenied."""
        with told_to_feast():
            stores = open_stores(self.repo_config.registry)
            if governed_sql(self.repo_config.registry):
                SqlGate(ApplyGate(self._parts)).decide(self.repo_config.registry)
            elif not stores:
                raise ConfigurationError(
                    "This repository's provider is governed, but its registry is not: definitions could be written"
                    " past the policy. Set `registry: registry_store_type: api.feast.GovernedRegistryStore`, or give"
                    " Feast's SQL registry `sqlalchemy_config_kwargs: {plugins: [provender]}`."
                )
            for store in stores:
                self._refuse_other_repository(store.gate.parts.settings.repo)
                store.decide(ApplyGate(self._parts))
        super().update_infra(*args, **kwargs)

    def teardown_infra(self, *args: Any, **kwargs: Any) -> None:
        """Take infrastructure down, and let the registry go as a whole afterwards. Raises FeastRefused."""
        stores = open_stores(self.repo_config.registry)
        with told_to_feast():
            for store in stores:
                self._refuse_other_repository(store.gate.parts.settings.repo)
                store.begin_teardown()
        try:
            super().teardown_infra(*args, **kwargs)
        except BaseException:
            for store in stores:
                store.abandon_teardown()
            raise

    def get_historical_features(
        self,
        config: RepoConfig,
        feature_views: list[FeatureView | OnDemandFeatureView],
        feature_refs: list[str],
        entity_df: Any,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool,
        **kwargs: Any,
    ) -> RetrievalJob:
        """Decide, record the start, and give a job that can only be read as a recorded snapshot. Raises FeastDenied."""
        config = unwrapped(config)
        with told_to_feast():
            require_registered(feature_views, registry, project)
            request = asked(
                feature_refs,
                feature_views,
                entity_df,
                registry,
                project,
                full_names=full_feature_names,
                options=kwargs,
                purpose=self._judging.purpose(),
                repo=self._parts.settings.repo,
                ours=self._reads_pinned,
            )
            definitions = self._judging.definitions(registry, (*request.views, *request.on_demand))
            retrieval = self._retrieval(request, definitions)
            if not retrieval.verdict.allowed:
                retrieval.deny()
            make = super().get_historical_features

            def engine_job() -> RetrievalJob:
                rows, names = numbered(request, ours=self._reads_pinned), full_feature_names
                return distributed.engine_job(
                    config,
                    request,
                    lambda: make(config, feature_views, feature_refs, rows, registry, project, names, **kwargs),
                )

            with ending(retrieval.fail), own_act():
                retrieval.start()
                files = self._files_now(request.read)
                job = engine_job()
        return self._governed(retrieval, job, files, engine_job)

    def retrieve_saved_dataset(self, config: RepoConfig, dataset: SavedDataset) -> RetrievalJob:
        """A job that gives the rows of a saved dataset, as a retrieval of its own. Raises FeastDenied."""
        make, config = super().retrieve_saved_dataset, unwrapped(config)
        with told_to_feast():
            request = saved_dataset_request(dataset, self._judging.purpose(), self._parts.settings.repo)
            self._files.refuse_own(dataset.storage)
            return self._pulled(request, lambda: make(config, dataset))

    def retrieve_feature_service_logs(
        self,
        feature_service: FeatureService,
        start_date: datetime,
        end_date: datetime,
        config: RepoConfig,
        registry: BaseRegistry,
    ) -> RetrievalJob:
        """A job that gives served values back, as a retrieval of its own. Raises FeastDenied."""
        make, config = super().retrieve_feature_service_logs, unwrapped(config)
        with told_to_feast():
            service = registry.get_feature_service(feature_service.name, config.project)
            request = logs_request(service, _aware(start_date), _aware(end_date), self._judging.purpose())
            return self._pulled(request, lambda: make(service, start_date, end_date, config, registry))

    def _pulled(self, request: PullRequest, make: Callable[[], RetrievalJob]) -> RetrievalJob:
        """A job over files that an earlier act wrote, decided and recorded like every retrieval."""
        retrieval = self._retrieval(request, self._judging.definitions_now())
        if not retrieval.verdict.allowed:
            retrieval.deny()
        with ending(retrieval.fail), own_act():
            retrieval.start()
            files = self._files_now(request.read)
            job = make()
        return self._governed(retrieval, job, files, make)

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
        config = unwrapped(config)
        arguments = (config, feature_view, start_date, end_date, registry, project, *args)
        with told_to_feast():
            require_registered([feature_view], registry, project)
            feature_view = recordable(feature_view)
            require_local(self.batch_engine)
            act = self._materialization(feature_view, start_date, end_date, registry)
            if not act.verdict.allowed:
                act.deny()
            with ending(act.fail), one_state():
                act.begin()
                sources = self._observed((feature_view,))
                with own_act(), watching() as batches:
                    super().materialize_single_feature_view(*arguments, **kwargs)
                self._still((feature_view,))
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
        asked = self._enter_online(features, registry)
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
        asked = self._enter_online(features, registry)
        store = self._watched_store()
        answer: OnlineResponse = await store.get_online_features_async(
            config, asked, entity_rows, registry, project, *args, **kwargs
        )
        return answer

    def ingest_df(self, feature_view: Any, df: Any, field_mapping: dict[str, str] | None = None) -> None:
        """Decide, record the start, write rows online, and record them. Raises FeastDenied."""
        with told_to_feast(), ingesting(self._judging, feature_view):
            super().ingest_df(feature_view, df, field_mapping)

    async def ingest_df_async(self, feature_view: Any, df: Any, field_mapping: dict[str, str] | None = None) -> None:
        """The same, for a store that writes asynchronously. Raises FeastDenied."""
        with told_to_feast(), ingesting(self._judging, feature_view):
            await super().ingest_df_async(feature_view, df, field_mapping)

    def offline_write_batch(
        self, config: RepoConfig, feature_view: FeatureView, data: pa.Table, progress: Callable[[int], Any] | None
    ) -> None:
        """Decide, record the start, add rows to the files behind a view, and record them. Raises FeastDenied."""
        with told_to_feast():
            self._files.append_batch(feature_view, data)
        if progress:
            progress(data.num_rows)

    def ingest_df_to_offline_store(self, feature_view: FeatureView, table: pa.Table) -> None:
        """The same, for ``write_to_offline_store()`` and ``push()``. Raises FeastDenied."""
        self.offline_write_batch(self.repo_config, feature_view, table, None)

    def write_feature_service_logs(
        self, feature_service: FeatureService, logs: pa.Table | Path, config: RepoConfig, registry: BaseRegistry
    ) -> None:
        """Decide, record the start, add served values to the log files, and record them. Raises FeastDenied."""
        with told_to_feast():
            self._files.append_logs(registry.get_feature_service(feature_service.name, config.project), logs)

    def _enter_online(self, features: list[str] | FeatureService, registry: BaseRegistry) -> list[str] | FeatureService:
        with told_to_feast():
            return self._online_gate.enter(features, registry, caller=current_caller())

    def _refuse_other_repository(self, theirs: Path) -> None:
        if theirs != self._parts.settings.repo:
            raise ConfigurationError(
                f"The registry was opened in {theirs}, the provider in {self._parts.settings.repo}: from a bare"
                " configuration Feast takes the working directory for the repository. Open it by repo_path."
            )

    def _retrieval(self, request: RetrievalRequest | PullRequest, definitions: Definitions) -> Retrieval:
        verdict = self._judging.verdict(definitions, "retrieve", request.inputs(definitions), request.purpose)
        engine = distributed.engine_of(self.repo_config, type(super().offline_store), ours=self._reads_pinned)
        return Retrieval(self._parts, request, definitions, verdict, current_caller(), engine)

    def _materialization(
        self, view: FeatureView, start: datetime, end: datetime, registry: BaseRegistry
    ) -> Materialization:
        definitions, purpose = self._judging.definitions(registry), self._judging.purpose()
        kind = "stream_feature_view" if f"stream_feature_view:{view.name}" in definitions else "feature_view"
        verdict = self._judging.verdict(definitions, "materialize", (Input(f"{kind}:{view.name}"),), purpose)
        places = " ".join(self._judging.places().get("online_store", ()))
        moments = (_aware(start), _aware(end))
        return Materialization(self._parts, view, *moments, definitions, verdict, purpose, current_caller(), places)

    def _governed(
        self, retrieval: Retrieval, job: RetrievalJob, files: object, make: Callable[[], RetrievalJob]
    ) -> GovernedRetrievalJob:
        """``job`` as a caller gets it.

        :param files: what stood behind it when it was made; None where it opens its sources when it reads
        :param make: makes it anew
        """
        staging = Staging.of(self.repo_config)

        def copy(rows: pa.Table, storage: SavedDatasetFileStorage, overwrite: bool) -> None:
            self._files.copy(rows, retrieval, storage, overwrite=overwrite)

        def export(rows: pa.Table) -> list[str]:
            return self._files.export(rows, retrieval, staging) if staging else []

        execution = self._execution(retrieval, files, make)
        return GovernedRetrievalJob(job, execution, copy, self._opened, export=export if staging else None)

    def _execution(
        self, retrieval: Retrieval, files: object, engine_job: Callable[[], RetrievalJob]
    ) -> Callable[[RetrievalJob], tuple[pa.Table | None, Snapshot]]:
        """What a job does when it is first asked for its rows. None for rows that stayed where they were."""
        request, repo = retrieval.request, self._parts.settings.repo
        read = request.read

        def execute(job: RetrievalJob) -> tuple[pa.Table | None, Snapshot]:
            with ending(retrieval.fail), own_act(), one_state():
                retrieval.ask_again()
                sources = self._observed(read)
                # those files that are there now are the ones on record
                current = job if files is None or keys_now(read, repo) == files else engine_job()
                if isinstance(current, ChunkedJob) and isinstance(request, RetrievalRequest) and request.in_chunks:
                    with written_chunks(current, request, self._parts.snapshots) as chunks:
                        self._still(read)
                        snapshot, act = retrieval.result_of_chunks(chunks, sources)
                    self._parts.recorder.record(act)
                    return None, snapshot
                table = retrieval.execute(current, request.numbered_rows)
                self._still(read)
                snapshot, act = retrieval.result(table, sources)
                self._parts.recorder.record(act)
            return table, snapshot

        return execute

    def _opened(self, snapshot: Snapshot) -> OpenSnapshot:
        """A snapshot that was recorded just now, to be read back."""
        return RecordedSnapshots(self._parts.snapshots, self._parts.records).open(snapshot.id, snapshot.run_id)

    def _observed(self, read: tuple[Read, ...]) -> tuple[SourceState, ...]:
        return observe_views(read, self._parts.settings.repo, self._digests)

    def _files_now(self, read: tuple[Read, ...]) -> Hashable:
        """What stands behind ``read`` where a job may list files when it is made; our own store does when it reads."""
        return None if self._reads_pinned else keys_now(read, self._parts.settings.repo)

    def _still(self, read: tuple[Read, ...]) -> None:
        """Raise SourceUnreadable where a source is not what it was before its rows were read."""
        check_views(read, self._parts.settings.repo, pinned=self._reads_pinned)

    @property
    def _reads_pinned(self) -> bool:
        """Whether the configured store reads its sources in the very state that is recorded."""
        return isinstance(super().offline_store, AsofOfflineStore)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
