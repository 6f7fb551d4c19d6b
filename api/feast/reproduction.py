"""A recorded retrieval, run again: the same question, over the recorded states of its sources where they still exist.

What runs is an ordinary governed retrieval, recorded as a run of its own. It needs an allowing verdict today: by the
definitions that were recorded, and by what the definitions of today say of the same views and sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from feast import FeatureStore
from feast.errors import DataSourceObjectNotFoundException
from feast.infra.registry.base_registry import BaseRegistry
from feast.infra.registry.registry import Registry
from feast.repo_config import RegistryConfig

import governance
from api.assembly import Provender
from api.feast.caller import current_caller
from api.feast.judging import Judging
from api.feast.recorded_question import RecordedQuestion, recorded_question
from api.feast.registry_history import history_of
from api.feast.retrieval import Retrieval
from api.feast.sources import pinning, standing_of
from governance.assets import Input
from lineage.recorded_snapshots import RecordedManifest, RecordedSnapshots
from lineage.reproduction import Reproduction, SourceNow, in_words, recorded_spine, unlike
from lineage.snapshot_diff import diff
from lineage.snapshots import Snapshot
from lineage.sources.state import SourceState


@dataclass(frozen=True)
class _Then:
    """The repository as a snapshot was asked of it, and as it is."""

    store: FeatureStore
    """over the recorded definitions; over today's where those are not kept"""
    kept: bool
    today: BaseRegistry


def reproduce(parts: Provender, name: str, run: str | None = None) -> Reproduction:
    """Run the retrieval of ``run`` (the first recorded one if none is named) that gave snapshot ``name`` again.

    :raises AnswerIsNo: the snapshot is not recorded or damaged, its retrieval is denied today, its record does not say
        enough, or its rows were asked by a query, of which only the SHA-256 is on record
    """
    recorded = RecordedSnapshots(parts.snapshots, parts.records)
    manifest = recorded.manifest(name, run)
    with _then(parts, manifest) as then:
        question = recorded_question(manifest, recorded_spine(manifest, recorded.read(name)), then.store)
        sources = _sources_now(parts, manifest, then.store)
        again = None if _gone(sources) else _run(parts, manifest, then, question, sources)
    repeated = None if again is None else recorded.manifest(again.id, again.run_id)
    return Reproduction(
        snapshot=name,
        recorded_run=manifest.run,
        recorded_digest=manifest.digest,
        run=None if again is None else again.run_id,
        digest=None if again is None else again.digest,
        found=None if again is None else again.id,
        sources=sources,
        definitions="as recorded" if then.kept else "as they are now",
        recorded_engine=_engine(manifest),
        engine=None if repeated is None else _engine(repeated),
        others=() if repeated is None else unlike(manifest, repeated),
        differs=() if repeated is None else in_words(diff(manifest, repeated)),
    )


def sources_of_recorded(parts: Provender, name: str, run: str | None = None) -> tuple[SourceNow, ...]:
    """Whether each source of a snapshot still holds what was recorded; every byte is read again, of objects too.

    Raises AnswerIsNo as :func:`reproduce` does for a snapshot that is not recorded.
    """
    manifest = RecordedSnapshots(parts.snapshots, parts.records).manifest(name, run)
    with _then(parts, manifest) as then:
        return _sources_now(parts, manifest, then.store, read=True)


def _sources_now(
    parts: Provender, manifest: RecordedManifest, store: FeatureStore, *, read: bool = False
) -> tuple[SourceNow, ...]:
    states = (SourceState.from_json(one) for one in manifest.document["sources"])
    return tuple(_source_now(state, store, parts.settings.repo, read=read) for state in states)


def _source_now(state: SourceState, store: FeatureStore, repo: Path, *, read: bool) -> SourceNow:
    try:
        source = store.get_data_source(state.name)
    except DataSourceObjectNotFoundException:
        return SourceNow(state.name, "gone", "no data source of this name is defined any more")
    return standing_of(source, state, repo, read=read)


def _gone(sources: Iterable[SourceNow]) -> bool:
    return any(one.standing == "gone" for one in sources)


def _run(
    parts: Provender,
    manifest: RecordedManifest,
    then: _Then,
    question: RecordedQuestion,
    sources: Iterable[SourceNow],
) -> Snapshot:
    unchanged = {one.name for one in sources if one.standing == "as recorded"}
    states = (SourceState.from_json(one) for one in manifest.document["sources"])
    purpose = manifest.document["request"]["purpose"]
    with (
        pinning([one for one in states if one.name in unchanged]),
        governance.acting(purpose=purpose) if purpose else nullcontext(),
    ):
        if then.kept:
            _judge_by_today(parts, manifest, then, question)
        return question.ask(then.store)


def _judge_by_today(parts: Provender, manifest: RecordedManifest, then: _Then, question: RecordedQuestion) -> None:
    """Record a refusal and raise Denied where today's labels of the views and sources forbid the retrieval.

    Of a view or source that is not defined any more nobody says anything today: what was said last is asked by the
    retrieval itself.
    """
    judging, store = Judging(parts, then.store.config), then.store
    request = question.request(store.registry, store.project, parts.settings.repo, purpose=judging.purpose())
    today = judging.definitions(then.today, (*request.views, *request.on_demand))
    sources = [Input(f"data_source:{one['name']}") for one in manifest.document["sources"]]
    asked = [one for one in (*request.inputs(today), *sources) if one.key in today]
    verdict = judging.verdict(today, "retrieve", asked, request.purpose)
    if asked and not verdict.allowed:
        Retrieval(parts, request, today, verdict, current_caller(), manifest.document["engine"]).deny()


@contextmanager
def _then(parts: Provender, manifest: RecordedManifest) -> Iterator[_Then]:
    settings = parts.settings
    store = FeatureStore(repo_path=str(settings.repo))
    today, config = store.registry, store.config.registry
    history = history_of(parts, settings, store.config)
    proto = history.defining(str(manifest.document["definitions"]))
    if proto is None:
        yield _Then(store, kept=False, today=today)
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "registry.pb"
        path.write_bytes(proto.SerializeToString())
        versions = config.enable_online_feature_view_versioning
        alone = RegistryConfig(path=str(path), enable_online_feature_view_versioning=versions)
        registry = Registry(settings.project, alone, settings.repo)
        store.__dict__["_registry"] = registry  # Feast offers no other way to open an older version
        yield _Then(store, kept=True, today=today)


def _engine(manifest: RecordedManifest) -> str:
    engine = manifest.document["engine"]
    return f"{engine['name']} {engine['version']}"
