"""A recorded retrieval, run again: the same question, over the recorded states of its sources where they still exist.

What runs is an ordinary governed retrieval: it needs an allowing verdict today, and is recorded as a run of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from feast import FeatureStore
from feast.errors import DataSourceObjectNotFoundException
from feast.infra.registry.registry import Registry
from feast.repo_config import RegistryConfig

import governance
from api.assembly import Provender
from api.feast.registry_history import version_defining
from api.feast.sources import pinning, standing_of
from governance.errors import AnswerIsNo
from lineage.recorded_snapshots import RecordedManifest, RecordedSnapshots
from lineage.reproduction import Reproduction, SourceNow, recorded_spine
from lineage.snapshots import Snapshot
from lineage.sources.state import SourceState


def reproduce(parts: Provender, name: str, run: str | None = None) -> Reproduction:
    """Run the retrieval of ``run`` (the first recorded one if none is named) that gave snapshot ``name`` again.

    :raises AnswerIsNo: the snapshot is not recorded or damaged, its retrieval is denied today, or its rows were asked
        by a query, of which only the SHA-256 is on record
    """
    recorded = RecordedSnapshots(parts.snapshots, parts.records)
    manifest = recorded.manifest(name, run)
    _refuse_query(manifest)
    spine = recorded_spine(manifest, recorded.read(name))
    with _store(parts, manifest) as (store, kept):
        sources = sources_now(parts, manifest, store)
        states = [SourceState.from_json(one) for one in manifest.document["sources"]]
        pinned = [state for state, now in zip(states, sources, strict=True) if now.standing == "as recorded"]
        again = None if _gone(sources) else _ask(store, manifest.document["request"], spine, pinned)
    return Reproduction(
        snapshot=name,
        recorded_run=manifest.run,
        recorded_digest=manifest.digest,
        run=None if again is None else again.run_id,
        digest=None if again is None else again.digest,
        found=None if again is None else again.id,
        sources=sources,
        definitions="as recorded" if kept else "as they are now",
        recorded_engine=_engine(manifest),
        engine=None if again is None else _engine(recorded.manifest(again.id, again.run_id)),
    )


def sources_of_recorded(parts: Provender, name: str, run: str | None = None) -> tuple[SourceNow, ...]:
    """Whether each source of a snapshot still holds what was recorded; every byte of local files is read again.

    Raises AnswerIsNo as :func:`reproduce` does for a snapshot that is not recorded.
    """
    manifest = RecordedSnapshots(parts.snapshots, parts.records).manifest(name, run)
    with _store(parts, manifest) as (store, _):
        return sources_now(parts, manifest, store)


def sources_now(parts: Provender, manifest: RecordedManifest, store: FeatureStore) -> tuple[SourceNow, ...]:
    """Each recorded source of ``manifest`` beside what ``store`` finds in its place."""
    states = (SourceState.from_json(one) for one in manifest.document["sources"])
    return tuple(_source_now(state, store, parts.settings.repo) for state in states)


def _source_now(state: SourceState, store: FeatureStore, repo: Path) -> SourceNow:
    try:
        source = store.get_data_source(state.name)
    except DataSourceObjectNotFoundException:
        return SourceNow(state.name, "gone", "no data source of this name is defined any more")
    return standing_of(source, state, repo)


def _gone(sources: Iterable[SourceNow]) -> bool:
    return any(one.standing == "gone" for one in sources)


def _ask(
    store: FeatureStore, request: Mapping[str, Any], spine: pa.Table | None, pinned: Iterable[SourceState]
) -> Snapshot:
    purpose = request["purpose"]
    options: dict[str, Any] = {name: _option(name, text) for name, text in request["options"].items()}
    with pinning(pinned), governance.acting(purpose=purpose) if purpose else nullcontext():
        job: Any = store.get_historical_features(
            spine,
            features=list(request["features"]),
            full_feature_names=bool(request["full_feature_names"]),
            **options,
        )
        job.to_arrow()
    snapshot: Snapshot = job.snapshot
    return snapshot


def _option(name: str, text: str) -> bool | datetime:
    return datetime.fromisoformat(text) if name.endswith("_date") else text == "True"


def _refuse_query(manifest: RecordedManifest) -> None:
    if "query_sha256" in manifest.document["request"]:
        raise AnswerIsNo(
            f"The entity rows of snapshot {manifest.snapshot} were asked by a query, whose text is not on record: it"
            " may name persons. Run the query yourself, then compare: provender snapshot diff."
        )


@contextmanager
def _store(parts: Provender, manifest: RecordedManifest) -> Iterator[tuple[FeatureStore, bool]]:
    """A feature store over the definitions that were recorded, and whether they are still kept; else today's."""
    settings = parts.settings
    store = FeatureStore(repo_path=str(settings.repo))
    directory = settings.repo / str(store.config.registry.path)
    proto = version_defining(
        str(manifest.document["definitions"]), directory=directory, project=settings.project, repo=settings.repo
    )
    if proto is None:
        yield store, False
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "registry.pb"
        path.write_bytes(proto.SerializeToString())
        registry = Registry(settings.project, RegistryConfig(path=str(path)), settings.repo)
        store.__dict__["_registry"] = registry  # Feast offers no other way to open an older version
        yield store, True


def _engine(manifest: RecordedManifest) -> str:
    engine = manifest.document["engine"]
    return f"{engine['name']} {engine['version']}"
