"""Numbers for the distinct keys of a spine, so that the join compares small integers and nothing else.

The spine's keys are numbered once, whatever the number of feature views. A source is then looked up in them by value:
its keys stay in the type they have, and the spine's distinct keys are said in that type instead. A key that the type
cannot say is in no row of that source.
"""

from __future__ import annotations

import decimal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from governance.errors import WrongQuestion
from lineage.asof_slots import distinct
from lineage.errors import SourceUnreadable
from lineage.lossless import decoded, takeable

NONE = -1
"""The code of a key that is null, or that the spine does not have."""

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DENSE = 8
"""Integers are looked up in a table as long as it has at most so many places for each."""


@dataclass(frozen=True)
class SpineKeys:
    """The distinct keys of a spine and which of them each row has."""

    codes: Any
    """numpy int64, one for each row of the spine; ``NONE`` where one of its keys is null"""
    count: int
    """of distinct codes"""
    names: tuple[str, ...]
    values: tuple[Any, ...]
    """the distinct values of each key column, Arrow arrays"""
    pairs: tuple[Any, ...]
    """the distinct values of ``code of the columns before x number of values + code of this column``, for each
    column from the second on; sorted numpy arrays"""


def numbered(columns: Mapping[str, Any], rows: int) -> SpineKeys:
    """The keys in ``columns`` (chunked arrays of a spine of ``rows`` rows), numbered; all 0 without a column.

    :raises WrongQuestion: a key is a list or struct.
    """
    codes, count = np.zeros(rows, np.int64), 1
    values, pairs = [], []
    for at, (name, column) in enumerate(columns.items()):
        own, different = _numbered(name, column)
        values.append(different)
        if at == 0:
            codes, count = own, len(different)
            continue
        pair = _paired(codes, own, len(different))
        pairs.append(distinct(pair[pair >= 0]))
        codes, count = Lookup(pa.array(pairs[-1])).codes(pa.chunked_array([pa.array(pair)])), len(pairs[-1])
    return SpineKeys(codes, count, tuple(columns), tuple(values), tuple(pairs))


class SourceKeys:
    """The keys of a spine as one source writes them."""

    def __init__(self, keys: SpineKeys, kinds: Sequence[pa.DataType]) -> None:
        """:param kinds: types of the source's key columns. Raises SourceUnreadable for one that can never be equal."""
        said = [_said(*each) for each in zip(keys.names, keys.values, kinds, strict=True)]
        self._columns = [Lookup(values) for values in said]
        self._sizes = [len(values) for values in keys.values]
        self._pairs = [Lookup(pa.array(pair)) for pair in keys.pairs]

    @property
    def block(self) -> int:
        """How many rows to look up at a time at least, so that preparing for it costs little."""
        return max((lookup.block for lookup in (*self._columns, *self._pairs)), default=0)

    def codes(self, columns: Sequence[Any], rows: int) -> Any:
        """The code of each of ``rows`` rows of the source (numpy int64), ``NONE`` for keys that the spine lacks."""
        codes = np.zeros(rows, np.int64)
        for at, (lookup, column) in enumerate(zip(self._columns, columns, strict=True)):
            own = lookup.codes(column)
            if at == 0:
                codes = own
                continue
            codes = self._pairs[at - 1].codes(pa.chunked_array([pa.array(_paired(codes, own, self._sizes[at]))]))
        return codes


class Lookup:
    """Positions of values in an array: by a table where they are dense integers, by Arrow's hashing otherwise."""

    def __init__(self, values: Any) -> None:
        """:param values: distinct; null in a place that nothing is equal to."""
        self._values = values
        self._table = _table(values) if pa.types.is_integer(values.type) and len(values) > values.null_count else None
        self._places = None if values.null_count == 0 else np.flatnonzero(values.is_valid().to_numpy(False))  # noqa: FBT003 - Arrow has it so
        self._known = values.drop_null()

    @property
    def block(self) -> int:
        """Arrow hashes the values anew for each call."""
        return 0 if self._table is not None else 4 * len(self._known)

    def codes(self, column: Any) -> Any:
        """The position of each value of a chunked array of that kind (numpy int64), ``NONE`` where there is none."""
        if pa.types.is_dictionary(column.type):
            return self._coded(column)
        if len(self._known) == 0 or pa.types.is_null(column.type):
            return np.full(len(column), NONE, np.int64)
        if self._table is not None:
            return self._tabled(column)
        plain = cleaned(column)
        found = pc.index_in(plain, value_set=self._known.cast(plain.type), skip_nulls=True)
        codes = pc.fill_null(found, NONE).to_numpy().astype(np.int64)
        return codes if self._places is None else np.where(codes < 0, NONE, np.take(self._places, codes))

    def _coded(self, column: Any) -> Any:
        """Of a dictionary column only the dictionary is looked up."""
        if any(chunk.dictionary.null_count for chunk in column.chunks) or column.num_chunks == 0:
            return self.codes(decoded(column))
        unified = column.unify_dictionaries()
        words = pa.chunked_array([decoded(unified.chunk(0).dictionary)])
        codes = np.append(self.codes(words), NONE)
        indices = pa.chunked_array([chunk.indices for chunk in unified.chunks])
        return np.take(codes, pc.fill_null(indices.cast(pa.int64()), len(words)).to_numpy())

    def _tabled(self, column: Any) -> Any:
        low, table = self._table  # type: ignore[misc] # the caller has looked
        integers = (pc.fill_null(column, 0) if column.null_count else column).to_numpy().astype(np.int64, copy=False)
        places = np.minimum(integers.view(np.uint64) - low, np.uint64(len(table) - 1)).view(np.int64)
        codes = np.take(table, places)
        if column.null_count:
            codes[column.is_null().to_numpy()] = NONE
        return codes


def _table(values: Any) -> tuple[Any, Any] | None:
    """The least value and, for each integer from it on, its position; the last place is for all that are beyond."""
    known = values.drop_null().to_numpy().astype(np.int64)
    low, high = int(known.min()), int(known.max())
    if high - low > _DENSE * len(known) + 2**16:
        return None
    table = np.full(high - low + 2, NONE, np.int64)
    table[known - low] = np.flatnonzero(values.is_valid().to_numpy(False))  # noqa: FBT003 - Arrow has it so
    return np.int64(low).view(np.uint64), table


def _numbered(name: str, column: Any) -> tuple[Any, Any]:
    """Code of each row, and the distinct values."""
    plain = cleaned(decoded(column))
    if pa.types.is_nested(plain.type):
        raise WrongQuestion(
            f"The join key {name!r} of the entity rows is {plain.type}. Expected text, numbers, moments or booleans."
        )
    if pa.types.is_null(plain.type) or len(plain) == 0:
        return np.full(len(plain), NONE, np.int64), pa.array([], plain.type)
    coded = plain.dictionary_encode()  # of all chunks together: the last one has every value
    indices = pa.chunked_array([chunk.indices for chunk in coded.chunks])
    return pc.fill_null(indices, NONE).to_numpy().astype(np.int64), coded.chunks[-1].dictionary


def _paired(first: Any, second: Any, size: int) -> Any:
    return np.where((first < 0) | (second < 0), NONE, first * size + second)


def cleaned(column: Any) -> Any:
    """Keys in a form that equal ones share: -0.0 is 0.0, and NaN is null, because pandas writes a missing key so."""
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())  # Arrow cannot look up the narrowest numbers
    if pa.types.is_decimal(column.type) and column.type.bit_width < 128:
        column = column.cast(pa.decimal128(column.type.precision, column.type.scale))
    if not pa.types.is_floating(column.type):
        return takeable(column)
    unsigned = pc.add(column, pa.scalar(0, column.type))
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), unsigned)


def _said(name: str, values: Any, kind: pa.DataType) -> Any:
    """The distinct ``values`` of the key ``name`` in the type of the source; null where it has no such value."""
    kind = _plain(kind)
    if pa.types.is_null(values.type) or pa.types.is_null(kind):
        return pa.nulls(len(values), pa.int64() if pa.types.is_null(kind) else kind)
    if _family(values.type) != _family(kind):
        raise SourceUnreadable(
            f"The join key {name!r} is {values.type} in the entity rows and {kind} in the source, which are never"
            " equal. Give the entity rows the type that the entity declares."
        )
    if pa.types.is_timestamp(kind):
        return _ticks(values, kind)
    try:
        said = values.cast(kind)
        if said.cast(values.type).equals(values):
            return said
    except pa.ArrowInvalid:
        pass  # some of them do not fit: look at each
    return pa.array([_one(value, kind) for value in values.to_pylist()], kind)


def _plain(kind: pa.DataType) -> pa.DataType:
    return cleaned(decoded(pa.chunked_array([], kind))).type


def _one(value: Any, kind: pa.DataType) -> Any:
    """A number as ``kind`` if it is exactly that: Python compares numbers of different types by their value."""
    number: Any = int if pa.types.is_integer(kind) else float if pa.types.is_floating(kind) else decimal.Decimal
    try:
        said = None if value is None else pa.scalar(number(value), kind).as_py()
    except (pa.ArrowException, OverflowError, ValueError, decimal.InvalidOperation):
        return None
    return said if said == value else None


def _ticks(values: Any, kind: pa.DataType) -> Any:
    """Moments in the unit of ``kind``, whatever zone they were written in (none is UTC)."""
    ours, theirs = _PER_SECOND[values.type.unit], _PER_SECOND[kind.unit]
    ticks = [None if one is None else divmod(one * theirs, ours) for one in values.cast(pa.int64()).to_pylist()]
    fitting = [None if one is None or one[1] or not -(2**63) <= one[0] < 2**63 else one[0] for one in ticks]
    return pa.array(fitting, pa.int64()).cast(kind)


def _family(kind: pa.DataType) -> str:
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return "text" if text else "number" if number else "timestamp" if pa.types.is_timestamp(kind) else str(kind)
