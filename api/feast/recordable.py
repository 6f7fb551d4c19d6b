"""Materializations whose every written value is seen, and therefore recorded."""

from __future__ import annotations

from feast.feature_view import FeatureView
from feast.infra.compute_engines.base import ComputeEngine
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.on_demand_feature_view import OnDemandFeatureView

from api.feast.denial import NotOffered

_ENGINES = "Materialize with Feast's local compute engine: it is the one whose writes are recorded."


def recordable_engine(engine: ComputeEngine) -> ComputeEngine:
    """``engine``, if Feast does not call it past its provider. Raises NotOffered."""
    if engine.supports_batch:
        raise NotOffered(f"{type(engine).__name__} would write online values that nobody sees. {_ENGINES}")
    return engine


def require_local(engine: ComputeEngine) -> None:
    """Raise NotOffered for an engine whose writes no one watches."""
    if not isinstance(engine, LocalComputeEngine):
        raise NotOffered(f"{type(engine).__name__} writes online values out of sight. {_ENGINES}")


def recordable(view: FeatureView | OnDemandFeatureView, *, ingested: bool = False) -> FeatureView:
    """``view``, if all that its materialization writes will be on record. Raises NotOffered.

    :param ingested: whether its rows are handed in, so that no source could be rewritten
    """
    if isinstance(view, OnDemandFeatureView):
        raise NotOffered(
            f"The on-demand view {view.name} would be materialized without a record of its values. Remove"
            " write_to_online_store: it is computed when it is read."
        )
    if getattr(view, "offline", False) and not ingested:
        raise NotOffered(
            f"The view {view.name} has offline=True, so that materializing it would rewrite its source without a"
            " record. Remove it from the view."
        )
    return view
