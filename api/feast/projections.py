"""Which views a retrieval asked, under which names and by which join keys: as records state it, and as Feast takes it.

A feature service may ask a view under an alias and by other columns of the entity rows. The references alone do not say
so, and the service may be another one by the time somebody runs the retrieval again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from feast.errors import FeatureViewNotFoundException
from feast.feature_service import FeatureService
from feast.feature_view_projection import FeatureViewProjection
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView

from api.feast.feature_refs import view_and_feature
from governance.errors import AnswerIsNo


def in_order(refs: Sequence[str], on_demand: Iterable[OnDemandFeatureView]) -> tuple[str, ...]:
    """``refs`` as they were asked; those that Feast adds at the end for on-demand views by name.

    Feast takes them from a set, whose order is another one in each process.
    """
    needed = {
        (projection.name_to_use(), feature.name)
        for view in on_demand
        for projection in view.source_feature_view_projections.values()
        for feature in projection.features
    }
    end = len(refs)
    while end and view_and_feature(refs[end - 1]) in needed:
        end -= 1
    return (*refs[:end], *sorted(refs[end:]))


def stated_projections(refs: Iterable[str], views: Iterable[Any]) -> list[dict[str, Any]]:
    """One entry for each of ``views`` that ``refs`` name, in their order, as JSON."""
    known = {view.projection.name_to_use(): view.projection for view in views}
    asked: dict[str, list[str]] = {}
    for name, feature in map(view_and_feature, refs):
        asked.setdefault(name, []).append(feature)
    return [_stated(known[name], features) for name, features in asked.items() if name in known]


def _stated(projection: FeatureViewProjection, features: Iterable[str]) -> dict[str, Any]:
    return {
        "view": projection.name,
        "version": projection.version_tag,
        "alias": projection.name_alias,
        "join_key_map": dict(sorted(projection.join_key_map.items())),
        "features": list(dict.fromkeys(features)),
    }


def service_of(stated: Iterable[Mapping[str, Any]], registry: BaseRegistry, project: str) -> FeatureService:
    """A feature service, known to no registry, that asks what :func:`stated_projections` states.

    Raises AnswerIsNo where ``registry`` lacks a view, its version or a feature.
    """
    service = FeatureService(name="recorded", features=[])
    service.feature_view_projections = [_projection(one, registry, project) for one in stated]
    return service


def _projection(stated: Mapping[str, Any], registry: BaseRegistry, project: str) -> FeatureViewProjection:
    name, version = stated["view"], stated["version"]
    try:
        view: Any = (
            registry.get_any_feature_view(name, project)
            if version is None
            else registry.get_feature_view_by_version(name, project, version)
        )
        projection: FeatureViewProjection = copy.copy(view.projection)
        projection.features = [projection.get_feature(feature) for feature in stated["features"]]
    except (FeatureViewNotFoundException, KeyError) as error:
        raise AnswerIsNo(
            f"The recorded retrieval asked the view {name}{'' if version is None else f' in version {version}'} for"
            f" {', '.join(stated['features'])}, which the definitions that are left do not have. Restore the registry's"
            " versions from a backup and run this again."
        ) from error
    projection.name_alias, projection.version_tag = stated["alias"], version
    projection.join_key_map = dict(stated["join_key_map"])
    return projection
