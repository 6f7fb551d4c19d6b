"""The on-demand views that a retrieval asks for, as they are registered."""

from __future__ import annotations

from collections.abc import Sequence

from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.utils import _parse_feature_ref


def requested_on_demand(refs: Sequence[str], registry: BaseRegistry, project: str) -> tuple[OnDemandFeatureView, ...]:
    """Those that ``refs`` name.

    Feast makes every registered one anew to answer this, functions included: it is asked only where a name fits.
    """
    asked = [_parse_feature_ref(ref)[:2] for ref in refs]
    there = {view.spec.name for view in registry.proto().on_demand_feature_views}
    if not any(version is not None or name in there for name, version in asked):
        return ()
    return tuple(OnDemandFeatureView.get_requested_odfvs(list(refs), project, registry))
