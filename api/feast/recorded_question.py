"""The question of a recorded retrieval, to be asked of a feature store once more."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from feast import FeatureStore
from feast.errors import FeastObjectNotFoundException
from feast.feature_view import FeatureView
from feast.infra.registry.base_registry import BaseRegistry
from feast.utils import _get_feature_views_to_use, _group_feature_refs

from api.feast.asking import asked
from api.feast.projections import service_of
from api.feast.request import RetrievalRequest
from governance.errors import AnswerIsNo
from lineage.recorded_snapshots import RecordedManifest
from lineage.snapshots import Snapshot


@dataclass(frozen=True)
class RecordedQuestion:
    """What was asked, with the views that a registry has for it."""

    refs: tuple[str, ...]
    views: tuple[FeatureView, ...]
    spine: pa.Table | None
    full_feature_names: bool
    options: Mapping[str, Any]

    def ask(self, store: FeatureStore) -> Snapshot:
        """Run it as ``store``'s provider runs every retrieval.

        Through the provider, since ``store`` itself knows no service but those in its registry.
        """
        job: Any = store.provider.get_historical_features(
            store.config,
            list(self.views),
            list(self.refs),
            self.spine,
            store.registry,
            store.project,
            self.full_feature_names,
            **self.options,
        )
        job.to_arrow()
        snapshot: Snapshot = job.snapshot
        return snapshot

    def request(self, registry: BaseRegistry, project: str, repo: Path, *, purpose: str | None) -> RetrievalRequest:
        """The same as verdicts and records need it."""
        return asked(
            self.refs,
            self.views,
            self.spine,
            registry,
            project,
            full_names=self.full_feature_names,
            options=self.options,
            purpose=purpose,
            repo=repo,
            ours=True,
        )


def recorded_question(manifest: RecordedManifest, spine: pa.Table | None, store: FeatureStore) -> RecordedQuestion:
    """What ``manifest`` says was asked, with the views in the registry of ``store``.

    Raises AnswerIsNo where the record or the registry does not say enough.
    """
    _refuse_unrepeatable(manifest)
    request = manifest.document["request"]
    refs = tuple(request["features"])
    return RecordedQuestion(
        refs=refs,
        views=_views(manifest, refs, store),
        spine=spine,
        full_feature_names=bool(request["full_feature_names"]),
        options={name: _option(name, text) for name, text in request["options"].items()},
    )


def _views(manifest: RecordedManifest, refs: tuple[str, ...], store: FeatureStore) -> tuple[FeatureView, ...]:
    stated = manifest.document["request"].get("projections")
    how = list(refs) if stated is None else service_of(stated, store.registry, store.project)
    try:
        views, on_demand = _get_feature_views_to_use(store.registry, store.project, how)
    except FeastObjectNotFoundException as error:
        raise AnswerIsNo(
            f"The retrieval of snapshot {manifest.snapshot} asked for {', '.join(refs)}, and there is no view of such a"
            " name. Its record is of an older kind, which does not say what view stood behind the alias that a feature"
            " service gave it. Ask the service again, and compare: provender snapshot diff."
        ) from error
    computed = copy.deepcopy(on_demand)
    for view in computed:
        view.write_to_online_store = False  # as Feast does: history is computed, never read from a store
    return tuple(
        view for view, _ in _group_feature_refs(list(refs), views, computed)[0] if isinstance(view, FeatureView)
    )


def _refuse_unrepeatable(manifest: RecordedManifest) -> None:
    request = manifest.document["request"]
    if "query_sha256" in request:
        raise AnswerIsNo(
            f"The entity rows of snapshot {manifest.snapshot} were asked by a query, whose text is not on record: it"
            " may name persons. Run the query yourself, then compare: provender snapshot diff."
        )
    if "object" in request:
        raise AnswerIsNo(
            f"Snapshot {manifest.snapshot} was read back from {request['object']}, which an earlier act wrote: no"
            " retrieval was run that could be run again. Read it again, then compare: provender snapshot diff."
        )


def _option(name: str, text: str) -> bool | datetime:
    return datetime.fromisoformat(text) if name.endswith("_date") else text == "True"
