"""Online features of one feature service, read through Feast as a model server needs them.

The definitions are those of the moment of opening: an endpoint says which definitions it serves from, and a later
``feast apply`` must not change them behind its back. Deploy again to serve from newer ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feast import FeatureStore
from feast.errors import FeastObjectNotFoundException
from feast.feature_view import DUMMY_ENTITY_ID, FeatureView
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.repo_config import load_repo_config
from feast.utils import _get_feature_views_to_use

from api.feast.picture import draw
from api.settings import FEAST_FILE
from governance.errors import ConfigurationError

Values = dict[str, list[Any]]
"""Column name → one value for each entity; None is a missing value."""


@dataclass(frozen=True)
class JoinKey:
    """What names an entity in a request."""

    name: str
    type: str
    """Feast's value type, such as ``INT64`` or ``STRING``"""


@dataclass(frozen=True)
class OnlineRows:
    """What the online store holds for the entities that were asked for."""

    columns: Values
    missing: tuple[tuple[int, str], ...]
    """(position of the entity, feature view) wherever a view of the service holds no row at all"""


class OnlineReads:
    """The online features of one feature service of a governed repository."""

    def __init__(self, repo: Path, service: str) -> None:
        """Raises ConfigurationError for a service that is not there."""
        config = load_repo_config(repo, repo / FEAST_FILE)
        config.registry.cache_ttl_seconds = 0  # Feast's word for "never read the registry again"
        self._store = FeatureStore(repo_path=str(repo), config=config)
        registry, project = self._store.registry, config.project
        self._definitions = draw(registry.proto(), project=project, repo=repo).digest
        try:
            self._service = registry.get_feature_service(service, project)
        except FeastObjectNotFoundException as error:
            known = ", ".join(sorted(one.name for one in registry.list_feature_services(project))) or "none"
            raise ConfigurationError(
                f"There is no feature service {service!r} in project {project}; there are: {known}."
                " Apply it, or name another."
            ) from error
        views, _on_demand = _get_feature_views_to_use(registry, project, self._service, allow_cache=True)
        self._views = tuple(sorted({view.name for view in views}))
        self._features = {p.name: {f.name for f in p.features} for p in self._service.feature_view_projections}
        self._keys = tuple(JoinKey(name, type_) for name, type_ in sorted(_join_keys(views).items()))
        if unseen := sorted(set(self._views) - self._features.keys()):
            raise ConfigurationError(
                f"The feature service {service!r} uses {', '.join(unseen)} only through on-demand views, so that an"
                " unknown entity would look like missing values. Add one of its features to the service."
            )

    @property
    def definitions(self) -> str:
        """Version (hex) of the definitions that are served from."""
        return self._definitions

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the feature views whose online values are read, those below on-demand views included."""
        return self._views

    @property
    def keys(self) -> tuple[JoinKey, ...]:
        """The join keys of the service, by name."""
        return self._keys

    def read(self, entities: Sequence[Mapping[str, Any]]) -> OnlineRows:
        """The features of ``entities`` (join key → value), in their order; on-demand features are computed."""
        answer = self._store.get_online_features(
            features=self._service, entity_rows=[dict(one) for one in entities], full_feature_names=False
        )
        statuses = dict(
            zip(answer.proto.metadata.feature_names.val, (r.statuses for r in answer.proto.results), strict=True)
        )
        return OnlineRows(answer.to_dict(), tuple(self._missing(statuses, len(entities))))

    def _missing(self, statuses: Mapping[str, Sequence[int]], rows: int) -> list[tuple[int, str]]:
        return [
            (row, view)
            for row in range(rows)
            for view in self._views
            if all(statuses[name][row] == FieldStatus.NOT_FOUND for name in self._features[view])
        ]


def _join_keys(views: Sequence[FeatureView]) -> dict[str, str]:
    """Name in a request → value type."""
    return {
        view.projection.join_key_map.get(column.name, column.name): column.dtype.to_value_type().name
        for view in views
        for column in view.entity_columns
        if column.name != DUMMY_ENTITY_ID
    }
