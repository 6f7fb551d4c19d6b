"""What a caller hands a provider to read, held against the registry that verdicts are made from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from feast.base_feature_view import BaseFeatureView
from feast.errors import FeatureViewNotFoundException
from feast.feature_view import DUMMY_ENTITY_ID
from feast.infra.registry.base_registry import BaseRegistry

from api.feast.denial import NotOffered


def require_registered(views: Iterable[BaseFeatureView], registry: BaseRegistry, project: str) -> None:
    """Raise NotOffered for a view that says something else than the registered one of its name and version.

    Feast takes the projection of a view from its caller: which features, under which names, by which keys. All else
    (where its rows are, above all) was judged as it is registered. A view whose name is not registered is let by,
    since no verdict allows it; of a version that is not, Feast raises FeatureViewVersionNotFound.
    """
    for view in views:
        there = _registered(view, registry, project)
        if there is not None and _said(view) != _said(there):
            raise NotOffered(
                f"The view {view.name} that was handed in is not the one that is registered, so no verdict is about"
                " what it reads. Apply the change first, or ask for features by name."
            )


def _registered(view: BaseFeatureView, registry: BaseRegistry, project: str) -> BaseFeatureView | None:
    version = getattr(getattr(view, "projection", None), "version_tag", None)
    try:
        if version is None:
            return registry.get_any_feature_view(view.name, project, allow_cache=True)
        return registry.get_feature_view_by_version(view.name, project, version, allow_cache=True)
    except FeatureViewNotFoundException:
        return None


def _said(view: BaseFeatureView) -> Any:
    """The definition, without what Feast itself changes on the way.

    That is the stand-in of a view without entities, and the bytes of functions, which pickle differently in each
    process; their text is compared.
    """
    spec: Any = view.to_proto().spec
    names = {field.name for field in spec.DESCRIPTOR.fields}
    if "entity_columns" in names:
        kept = [column for column in spec.entity_columns if column.name != DUMMY_ENTITY_ID]
        del spec.entity_columns[:], spec.entities[:]
        spec.entity_columns.extend(kept)
    if "feature_transformation" in names and spec.HasField("feature_transformation"):
        spec.feature_transformation.user_defined_function.ClearField("body")
    if "user_defined_function" in names and spec.HasField("user_defined_function"):
        spec.user_defined_function.ClearField("body")
    return spec
