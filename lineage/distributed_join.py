"""The point-in-time join of :mod:`lineage.asof` in pieces that an engine runs where the rows are.

Rows of a source and of the spine that may belong together have equal keys. So both are cut into partitions by their
keys, each partition is joined by itself, and what it found is cut by the chunks of the spine:

    spine chunk ─ spine_partitions ─┐
                                    ├─ joined_partition ─ answered_chunk
    source block ─ source_partitions ┘   (for each view)

Every function keeps the order of the rows it is given, which decides between rows of the same time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lineage.asof import FeatureTable, point_in_time_join
from lineage.asof_keys import cleaned
from lineage.canonical_table import ROW
from lineage.distributed import ChunkPlan, chunk_answer
from lineage.errors import RetrievalBroken
from lineage.lossless import Column, decoded, takeable
from lineage.taken_rows import taken
from lineage.td1 import CHUNK_ROWS

Numbers: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.uint64]]"

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_MIX = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio, odd: neighbouring keys go to different partitions."""


@dataclass(frozen=True)
class PartitionedJoin:
    """The join of one feature view, cut by its keys."""

    table: FeatureTable
    """the view; its rows are given to :func:`joined_partition`"""
    types: Mapping[str, pa.DataType]
    """declared type of each join key, by its name in the spine"""
    event_timestamp: str
    filter_by_created: bool
    partitions: int
    reach: tuple[int, int] | None
    """first and last time of the spine in microseconds since 1970; None where it has none"""

    @property
    def source_columns(self) -> list[str]:
        """What is read of the source, each once."""
        table = self.table
        times = [table.timestamp, *([table.created] if table.created else [])]
        return list(dict.fromkeys([*table.keys.values(), *times, *table.features.values()]))


def chunks_apart(spine: pa.Table) -> Iterator[pa.Table]:
    """The chunks of a spine, each with memory of its own: a slice would carry the whole to another process."""
    for start in range(0, spine.num_rows or 1, CHUNK_ROWS):
        yield _rows(spine.slice(start, CHUNK_ROWS), np.arange(min(CHUNK_ROWS, spine.num_rows - start)))


def spine_partitions(join: PartitionedJoin, chunk: pa.Table) -> list[pa.Table]:
    """Keys, times and row numbers of one chunk of the spine, cut by keys."""
    needed = chunk.select(list(dict.fromkeys([*join.table.keys, join.event_timestamp, ROW])))
    return _cut(needed, _places([chunk.column(name) for name in join.table.keys]), join.partitions)


def source_partitions(join: PartitionedJoin, block: pa.Table) -> list[pa.Table]:
    """The rows of one block of the source that may belong to a row of the spine, cut by keys."""
    needed = _in_reach(join, block.select(join.source_columns))
    return _cut(needed, _places([needed.column(name) for name in join.table.keys.values()]), join.partitions)


def joined_partition(join: PartitionedJoin, chunks: int, *partitions: pa.Table) -> list[pa.Table]:
    """Row numbers and features of one partition, a table for each chunk of the spine.

    :param chunks: how many of ``partitions`` are of chunks of the spine; the others are of blocks of the source, in
        their order
    Raises as :func:`lineage.asof.point_in_time_join`.
    """
    rows = pa.concat_tables([_plain(one) for one in partitions[chunks:]], promote_options="permissive")
    found = point_in_time_join(
        pa.concat_tables(partitions[:chunks]),
        [replace(join.table, rows=rows)],
        event_timestamp=join.event_timestamp,
        filter_by_created=join.filter_by_created,
    ).select([ROW, *join.table.features])
    return _cut(found, found.column(ROW).to_numpy().astype(np.uint64) // np.uint64(CHUNK_ROWS), chunks)


def assembled_chunk(chunk: pa.Table, counts: Sequence[int], *found: pa.Table) -> pa.Table:
    """A chunk of the spine with the features of each view.

    :param counts: how many of ``found`` are partitions of the first view, of the second, and so on
    Raises RetrievalBroken where a row has no answer or two.
    """
    rest = iter(found)
    for count in counts:
        features = pa.concat_tables([next(rest) for _ in range(count)])
        order = pc.sort_indices(features.column(ROW))
        if not features.column(ROW).take(order).equals(chunk.column(ROW)):
            raise RetrievalBroken("Partitions of a join lost or doubled rows of the spine. Report this.")
        for name in features.column_names:
            if name != ROW:
                chunk = chunk.append_column(name, taken(features.column(name), order))
    return chunk


def answered_chunk(plan: ChunkPlan, number: int, chunk: pa.Table, counts: Sequence[int], *found: pa.Table) -> str:
    """:func:`assembled_chunk`, then :func:`lineage.distributed.chunk_answer`."""
    return chunk_answer(plan, number, assembled_chunk(chunk, counts, *found))


def sole(work: Callable[..., Sequence[Any]], *arguments: Any) -> Any:
    """The one thing that ``work`` gives: engines tell one result from a list of one."""
    (result,) = work(*arguments)
    return result


def _places(keys: Sequence[Column]) -> Numbers | None:
    """The number of each row by which it is cut; None where there are no keys, and all rows belong together."""
    found: Numbers | None = None
    for column in keys:
        mixed = _mixed(column)
        found = mixed if found is None else (found ^ mixed) * _MIX
    return None if found is None else found >> np.uint64(32)


def _mixed(column: Column) -> Numbers:
    """A number for each value, equal for what the join calls equal, of whatever type.

    A null joins nothing and may go anywhere. Dates, booleans and what is no key go to one place.
    """
    plain = cleaned(decoded(column))
    if pa.types.is_integer(plain.type):
        return _hashed_integers(pc.fill_null(plain, 0).to_numpy()) * _MIX
    if pa.types.is_timestamp(plain.type):
        ticks = pc.fill_null(plain.cast(pa.int64()), 0).to_numpy()
        seconds: Numbers = (ticks // _PER_SECOND[plain.type.unit]).astype(np.uint64)
        return seconds * _MIX
    hashed = _hash_of(plain.type)
    if hashed is None:
        return np.zeros(len(plain), np.uint64)
    bytewise = plain if hashed is hash else plain.cast(pa.large_binary())
    coded = bytewise.combine_chunks().dictionary_encode()
    hashes = [hashed(value) % 2**64 for value in coded.dictionary.to_pylist()]
    mixed: Numbers = (np.array([*hashes, 0], np.uint64) * _MIX)[pc.fill_null(coded.indices, len(hashes)).to_numpy()]
    return mixed


def _hash_of(kind: pa.DataType) -> Callable[[Any], int] | None:
    """The same in every process: Python's own hash is so for numbers, and not for text."""
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return hash
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    return crc32 if text or binary else None


def _hashed_integers(values: Any) -> Numbers:
    """As Python does it, so that integers go where floats and decimals of their value go.

    https://docs.python.org/3/library/stdtypes.html#hashing-of-numeric-types
    """
    narrow = np.fmod(values, sys.hash_info.modulus) if values.dtype.itemsize == 8 else values
    remainders = narrow.astype(np.int64)
    hashes: Numbers = np.where(remainders == -1, -2, remainders).astype(np.uint64)
    return hashes


def _cut(table: pa.Table, places: Numbers | None, count: int) -> list[pa.Table]:
    """``table`` in ``count`` tables by the place of each row, in the order of the rows."""
    if places is None or count == 1:
        return [table, *[table.schema.empty_table()] * (count - 1)]
    order = np.argsort(places % np.uint64(count), kind="stable")
    ends = np.searchsorted((places % np.uint64(count))[order], np.arange(count + 1))
    return [_rows(table, order[start:end]) for start, end in pairwise(ends)]  # a slice would carry all along


def _rows(table: pa.Table, numbers: Any) -> pa.Table:
    return pa.table({name: taken(table.column(name), pa.array(numbers)) for name in table.column_names})


def _plain(table: pa.Table) -> pa.Table:
    return pa.table({name: takeable(table.column(name)) for name in table.column_names})


def _in_reach(join: PartitionedJoin, block: pa.Table) -> pa.Table:
    """Without rows after every row of the spine, or too old for all of them, where that can be seen cheaply."""
    times = block.column(join.table.timestamp)
    if join.reach is None or not pa.types.is_timestamp(times.type):
        return block
    seconds = pc.divide(times.cast(pa.int64()), _PER_SECOND[times.type.unit])  # towards zero, hence the margins
    first, last = (moment // 10**6 for moment in join.reach)
    keep = pc.less_equal(seconds, last + 1)
    if join.table.ttl:
        keep = pc.and_(keep, pc.greater_equal(seconds, first - int(join.table.ttl.total_seconds()) - 2))
    return block.filter(keep)
