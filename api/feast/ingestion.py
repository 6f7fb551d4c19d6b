"""Rows that a caller hands in for the online store (``write_to_online_store()``, ``push()``), decided and recorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from api.feast.caller import current_caller
from api.feast.judging import Judging
from api.feast.online_writes import EVENT_TIME, watching, written_table
from api.feast.recordable import recordable
from api.feast.recorded_write import RecordedWrite
from governance.assets import VIEW_KINDS, Input
from governance.decide import ONLINE_STORE
from lineage.canonical_table import canonical_table


@contextmanager
def ingesting(judging: Judging, view: Any) -> Iterator[None]:
    """Within, what is written online for ``view`` is decided and recorded. Raises Denied, NotOffered."""
    view = recordable(view, ingested=True)
    definitions, purpose, places = judging.definitions_now(), judging.purpose(), judging.places()
    named = next((key for kind in VIEW_KINDS if (key := f"{kind}:{view.name}") in definitions), f"view:{view.name}")
    verdict = judging.verdict(definitions, "materialize", [Input(named)], purpose)
    place = ", ".join(places.get(ONLINE_STORE, ()))
    act = RecordedWrite(judging.parts, "online_write", named, place, definitions, verdict, purpose, current_caller())
    with act.online() as written, watching() as batches:
        yield
        rows = written_table(view, batches)
        keys = sorted(column.name for column in view.entity_columns if column.name in rows.column_names)
        written.append(canonical_table(rows, types={}, rows=None, keys=[EVENT_TIME, *keys]))
