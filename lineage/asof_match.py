"""Which row of a source belongs to each row of a spine: the source streams by, several blocks of it at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from lineage.asof_keys import NONE, SourceKeys, SpineKeys, numbered
from lineage.asof_slots import Best, Candidates, Slots
from lineage.asof_source import BATCH, Source
from lineage.asof_ticks import Ticks, ticks_of
from lineage.duckdb_engine import Limits

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class SpineSide:
    """What a spine brings to the join with every feature table of the same keys."""

    keys: SpineKeys
    slots: Slots


def spine_side(columns: Mapping[str, Any], times: Any) -> SpineSide:
    """The spine as the join sees it: its key ``columns``, and its times as int64 microseconds (null joins nothing)."""
    keys = numbered(columns, len(times))
    codes = np.where(times.is_null().to_numpy(), NONE, keys.codes)
    return SpineSide(keys, Slots(codes, pc.fill_null(times, 0).to_numpy(), keys.count))


@dataclass(frozen=True)
class SourceSide:
    """Which columns of a source the join compares."""

    rows: Source
    keys: tuple[str, ...]
    """in the order of the spine's"""
    timestamp: str
    created: str | None


def matched_rows(
    spine: SpineSide, source: SourceSide, *, ttl: timedelta | None, filter_by_created: bool, limits: Limits
) -> Any:
    """For each row of the spine the number of its source row (numpy int64), -1 where none fits.

    :raises SourceUnreadable: the source cannot be read, or its keys or times cannot be compared with the spine's.
    """
    schema = source.rows.schema
    created = None if source.created is None else ticks_of(schema, source.created)
    times = _Times(ticks_of(schema, source.timestamp), created, filter_by_created and created is not None)
    kinds = [schema.field(name).type if schema.get_field_index(name) >= 0 else pa.null() for name in source.keys]
    keys = SourceKeys(spine.keys, kinds)
    best = Best(spine.slots, ttl=ttl, has_created=created is not None, known_then=times.known_then)
    if len(spine.slots) == 0:
        return np.full(len(spine.keys.codes), NONE, np.int64)

    def place(block: _Block) -> list[tuple[Any, list[Any]]]:
        return [best.placed(rows) for rows in _candidates(block, keys, times)]

    for placed in _in_order(place, _blocks(source, times, keys.block), limits.workers):
        for slots, columns in placed:
            best.offer(slots, columns)
    return best.found(times.at.not_after)


@dataclass(frozen=True)
class _Block:
    first: int
    """number of the first row"""
    table: pa.Table
    """``at``, ``created`` if there is one, then the keys"""


def _blocks(source: SourceSide, times: _Times, rows: int) -> Iterator[_Block]:
    """The source in blocks of so many rows at least (fewer in the last)."""
    columns = {"at": times.at.expression}
    if times.created is not None:
        columns["created"] = times.created.expression
    columns |= {f"key_{at}": ds.field(name) for at, name in enumerate(source.keys)}
    begin, count, waiting = 0, 0, list[pa.RecordBatch]()
    for first, batch in source.rows.scan(columns):
        if not waiting:
            begin = first
        waiting.append(batch)
        count += len(batch)
        if count >= rows:
            yield _Block(begin, pa.Table.from_batches(waiting))
            waiting, count = [], 0
    if waiting:
        yield _Block(begin, pa.Table.from_batches(waiting))


@dataclass(frozen=True)
class _Times:
    """The times of a source, and whether its rows count only from their creation on."""

    at: Ticks
    created: Ticks | None
    known_then: bool


def _candidates(block: _Block, keys: SourceKeys, times: _Times) -> Iterator[Candidates]:
    """The rows of a block that could belong to the spine, a batch at a time."""
    table = block.table
    names = [name for name in table.column_names if name.startswith("key_")]
    codes = keys.codes([table.column(name) for name in names], len(table))
    required = ["at", "created"] if times.known_then else ["at"]
    for name in required:
        if table.column(name).null_count:
            codes = np.where(table.column(name).is_null().to_numpy(), NONE, codes)
    at, created = _integers(table, "at"), None if times.created is None else _integers(table, "created")
    for begin in range(0, len(table), BATCH):
        part = slice(begin, begin + BATCH)
        chosen = np.flatnonzero(codes[part] != NONE) + begin
        yield _compared(
            codes[chosen], at[chosen], None if created is None else created[chosen], chosen + block.first, times
        )


def _compared(codes: Any, at: Any, created: Any, numbers: Any, times: _Times) -> Candidates:
    there = times.at.not_before(at)
    if times.known_then and times.created is not None:
        there = np.maximum(there, times.created.not_before(created))
    return Candidates(codes, at, created, numbers, there, times.at.not_after(at))


def _integers(table: pa.Table, name: str) -> Any:
    """A column as numpy int64, with the lowest of them for null: what is unknown comes first."""
    column = table.column(name)
    return (pc.fill_null(column, -(2**63)) if column.null_count else column).to_numpy()


def _in_order(work: Callable[[_Block], _Result], blocks: Iterator[_Block], workers: int) -> Iterator[_Result]:
    """``work`` of each block, on several threads (numpy and Arrow let each other run), a few blocks ahead."""
    if workers == 1:
        yield from map(work, blocks)
        return
    with ThreadPoolExecutor(workers) as pool:
        running: deque[Future[_Result]] = deque()
        try:
            for block in blocks:
                running.append(pool.submit(work, block))
                if len(running) > workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
