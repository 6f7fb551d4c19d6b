"""Numbers for keys, against Python's own dictionaries."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import WrongQuestion
from lineage.asof_keys import NONE, SourceKeys, numbered
from lineage.errors import SourceUnreadable

NAN = float("nan")


def chunked(values: list[Any], kind: pa.DataType) -> pa.ChunkedArray:
    middle = len(values) // 2
    return pa.chunked_array([pa.array(values[:middle], kind), pa.array(values[middle:], kind)])


def met(ours: Any, theirs: Any) -> list[list[int]]:
    """For each value of a source the rows of the spine that have the same key."""
    keys = numbered({"key": ours}, len(ours))
    codes = SourceKeys(keys, [theirs.type]).codes([theirs], len(theirs))
    return [[row for row, one in enumerate(keys.codes) if one == code != NONE] for code in codes]


near, far = st.integers(-5, 5), st.sampled_from([-(2**63), 2**63 - 1, 0, 1, 2**53, 2**53 + 1])


@settings(max_examples=100, deadline=None)
@given(
    ours=st.lists(st.tuples(st.none() | near | far, st.none() | st.sampled_from("abc")), max_size=12),
    theirs=st.lists(st.tuples(st.none() | near | far, st.none() | st.sampled_from("abcd")), max_size=12),
)
def test_two_rows_have_one_number_if_and_only_if_all_their_keys_are_equal_and_none_is_null(
    ours: list[tuple[Any, Any]], theirs: list[tuple[Any, Any]]
) -> None:
    def columns(rows: list[tuple[Any, Any]]) -> list[Any]:
        numbers, words = [row[0] for row in rows], [row[1] for row in rows]
        return [chunked(numbers, pa.int64()), chunked(words, pa.string()), chunked(numbers, pa.int64())]

    keys = numbered(dict(zip("xyz", columns(ours), strict=True)), len(ours))
    codes = SourceKeys(keys, [column.type for column in columns(theirs)]).codes(columns(theirs), len(theirs))
    for theirs_row, code in zip(theirs, codes, strict=True):
        same = [None not in row and row == theirs_row for row in ours]
        assert [code != NONE and code == one for one in keys.codes] == same
    assert all((code == NONE) == (None in row) for code, row in zip(keys.codes, ours, strict=True))
    assert all(code < keys.count for code in keys.codes)


@pytest.mark.parametrize(
    ("ours", "our_kind", "theirs", "their_kind", "expected"),
    [
        ([2**53, 2**53 + 1], pa.int64(), [2.0**53], pa.float64(), [[0]]),
        ([2.0**53, NAN, None, 7.0], pa.float64(), [2**53, 2**53 + 1, 7], pa.int64(), [[0], [], [3]]),
        ([0.1, 0.5], pa.float64(), [0.1, 0.5], pa.float32(), [[], [1]]),
        ([0.0], pa.float64(), [-0.0, NAN], pa.float64(), [[0], []]),
        ([NAN, 1.0], pa.float64(), [NAN, 1.0], pa.float64(), [[], [1]]),
        ([-1, 2**62], pa.int64(), [2**64 - 1, 2**62], pa.uint64(), [[], [1]]),
        ([300, 44], pa.int64(), [44], pa.int8(), [[1]]),
        ([Decimal("1.50"), Decimal("1.55")], pa.decimal128(5, 2), [Decimal("1.5")], pa.decimal128(5, 1), [[0]]),
        ([2, 10**18], pa.int64(), [Decimal(2), Decimal("2.5")], pa.decimal128(6, 1), [[0], []]),
        ([1_000, 1_001], pa.timestamp("ns"), [1, 2], pa.timestamp("us", "Asia/Tokyo"), [[0], []]),
        ([2**62], pa.timestamp("s"), [0], pa.timestamp("ns"), [[]]),
        ([None, 1], pa.int64(), [None, 1], pa.int64(), [[], [1]]),
        ([1], pa.int64(), [None], pa.null(), [[]]),
        ([None], pa.null(), [1], pa.int64(), [[]]),
        ([], pa.int64(), [1], pa.int64(), [[]]),
    ],
)
def test_numbers_of_several_types_are_equal_by_their_value(
    ours: list[Any], our_kind: pa.DataType, theirs: list[Any], their_kind: pa.DataType, expected: list[list[int]]
) -> None:
    assert met(chunked(ours, our_kind), chunked(theirs, their_kind)) == expected


def test_a_dictionary_with_nulls_and_of_several_chunks_is_its_values() -> None:
    words = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2], pa.int8()), pa.array(["a", None, "b"]))
    more = pa.array(["c", "a"]).dictionary_encode().cast(words.type)
    assert met(chunked(["b", "a"], pa.string()), pa.chunked_array([words, more])) == [[1], [], [], [0], [], [1]]


def test_kinds_that_are_never_equal_are_refused() -> None:
    keys = numbered({"patient": chunked(["1"], pa.string())}, 1)
    with pytest.raises(SourceUnreadable, match="'patient' is string in the entity rows and int64"):
        SourceKeys(keys, [pa.int64()])


def test_a_list_is_no_key() -> None:
    with pytest.raises(WrongQuestion, match="'patient' of the entity rows is list"):
        numbered({"patient": chunked([[1], [2]], pa.list_(pa.int64()))}, 2)
