"""Entity rows that Feast's SQL stores confuse.

They tell entity rows apart by their keys and time written one after another with nothing between, so that the keys
(1, 12) and (11, 2) of one moment are one row to them: where only one has features, the other is given them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from feast.repo_config import RepoConfig

from api.feast.asof_views import join_keys
from api.feast.denial import NotOffered
from api.feast.request import RetrievalRequest

_TEMPLATE = "MULTIPLE_FEATURE_VIEW_POINT_IN_TIME_JOIN"
"""The query that all of these stores have, in their own words, in their module."""


def refuse_confused_rows(config: RepoConfig, request: RetrievalRequest) -> None:
    """Raise NotOffered for entity rows of ``request`` that the configured store would take for one another."""
    if request.rows is None or not hasattr(sys.modules[type(config.offline_store).__module__], _TEMPLATE):
        return
    for view in request.views:
        keys = list(join_keys(view))
        if len(keys) > 1 and _confused(request.rows, keys, request.timestamp):
            raise NotOffered(
                f"Several entity rows of one time have keys {keys} that are equal when they are written one after"
                f" another, which is how this store tells them apart for the view {view.name}: one would be given what"
                " belongs to the other. Use api.feast.AsofOfflineStore, or keys of one length."
            )


def _confused(rows: pa.Table, keys: Sequence[str], timestamp: str) -> bool:
    written = [rows.column(name).cast(pa.string()) for name in keys]
    table = pa.table({**{str(at): one for at, one in enumerate(written)}, "time": rows.column(timestamp)})
    table = table.append_column("all", pc.binary_join_element_wise(*written, "")).drop_null()
    apart = table.group_by([*map(str, range(len(keys))), "time"]).aggregate([]).num_rows
    return bool(table.group_by(["all", "time"]).aggregate([]).num_rows < apart)
