"""From what Feast hands its provider to a request that can be judged, recorded and run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from feast.feature_view import FeatureView
from feast.infra.registry.base_registry import BaseRegistry

from api.feast.denial import NotOffered
from api.feast.entity_source import queried_schema, queried_sources
from api.feast.projections import in_order
from api.feast.request import RetrievalRequest
from api.feast.requested_on_demand import requested_on_demand
from governance.errors import ConfigurationError
from lineage.canonical_table import ROW
from lineage.entity_rows import has_rows
from lineage.sql_rows import parsed


def asked(
    refs: Sequence[str],
    views: Sequence[Any],
    entity_rows: Any,
    registry: BaseRegistry,
    project: str,
    *,
    full_names: bool,
    options: Mapping[str, Any],
    purpose: str | None,
    repo: Path,
    ours: bool,
) -> RetrievalRequest:
    """The request of one ``get_historical_features()``.

    :param ours: our own store will run it: then it is known what a query reads; to other engines none is given
    :raises NotOffered: the entity rows are nothing whose rows can be followed
    :raises WrongQuestion: they have a column of ours, or are a query that does not fit the data sources
    """
    _refuse_unknown_rows(entity_rows, ours=ours)
    query = parsed(entity_rows) if isinstance(entity_rows, str) else None
    queried = {} if query is None else queried_sources(query, registry, project)
    on_demand = requested_on_demand(refs, registry, project)
    return RetrievalRequest(
        in_order(refs, on_demand),
        tuple(view for view in views if isinstance(view, FeatureView)),
        on_demand,
        entity_rows,
        full_names,
        options,
        purpose,
        queried,
        None if query is None else queried_schema(query, queried, repo),
    )


def numbered(request: RetrievalRequest, *, ours: bool) -> Any:
    """The entity rows with a column that numbers them; a query and a date range have no order to keep.

    Our own store takes them as an Arrow table, others as a DataFrame.
    """
    if request.rows is None:
        return request.spine
    numbers = np.arange(request.rows.num_rows, dtype=np.int64)
    if ours:
        return request.rows.append_column(ROW, pa.array(numbers))
    frame = request.spine if isinstance(request.spine, pd.DataFrame) else request.rows.to_pandas()
    return frame.assign(**{ROW: numbers})


def _refuse_unknown_rows(given: Any, *, ours: bool) -> None:
    if isinstance(given, str) and not ours:
        raise NotOffered(
            "The entity rows are text, which the configured engine would run over tables that nobody judges or records."
            " Give a pandas DataFrame, an Arrow table or a Polars frame; or let AsofOfflineStore run SQL over names of"
            " data sources."
        )
    if given is not None and not isinstance(given, str) and not has_rows(given):
        raise NotOffered(
            f"The entity rows are a {type(given).__module__}.{type(given).__name__}, whose rows cannot be followed"
            " through the join. Pass a pandas DataFrame, an Arrow table, a Polars frame, or SQL over names of data"
            " sources."
        )
    if ROW in _names(given):
        raise ConfigurationError(f"The entity rows already have a column {ROW}, which is ours. Rename it.")


def _names(given: Any) -> list[Any]:
    if isinstance(given, pa.Table):
        return list(given.column_names)
    return [] if given is None or isinstance(given, str) else list(getattr(given, "columns", ()))
