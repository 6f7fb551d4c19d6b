"""On-demand views as a retrieval of many rows computes them."""

from __future__ import annotations

import copy
from typing import Any

import pyarrow as pa
from feast.on_demand_feature_view import OnDemandFeatureView


def for_many_rows(view: OnDemandFeatureView) -> OnDemandFeatureView:
    """``view``, its function called once for each row where it was written for one.

    Feast calls a ``singleton`` function so when it serves online, and with whole columns when it retrieves history.
    """
    if not view.singleton:
        return view
    many: Any = copy.copy(view)
    many.feature_transformation = _RowByRow(view.feature_transformation)
    result: OnDemandFeatureView = many
    return result


class _RowByRow:
    """Stands for a singleton's transformation where Feast asks it for a table."""

    def __init__(self, one: Any) -> None:
        self._one = one

    def transform_arrow(self, table: pa.Table, features: list[Any]) -> pa.Table:
        """The function's answers, one row each; the columns are the features that it is declared to give."""
        answers = [self._one.udf(row) for row in table.to_pylist()]
        return pa.table({one.name: [answer.get(one.name) for answer in answers] for one in features})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._one, name)
