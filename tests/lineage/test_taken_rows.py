"""Rows by their numbers, also where one Arrow array cannot hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.asof import FeatureTable, point_in_time_join
from lineage.lossless import lossless
from lineage.taken_rows import taken

SOME = 1100 * 2**20
"""bytes of a text of which one array holds one, and not two"""


@settings(max_examples=100, deadline=None)
@given(data=st.data(), cut=st.integers(0, 4))
@pytest.mark.parametrize("kind", [pa.string(), pa.string_view(), pa.list_(pa.int64())])
def test_rows_come_in_the_order_asked_for_and_null_for_null(data: st.DataObject, cut: int, kind: pa.DataType) -> None:
    values: list[Any] = [["a", "b", None, "d"], [[1], [], None, [2]]][pa.types.is_list(kind)]
    column = pa.chunked_array([pa.array(values[:cut], kind), pa.array(values[cut:], kind)], kind)
    numbers = data.draw(st.lists(st.none() | st.integers(0, 3), max_size=8))
    found = taken(column, pa.array(numbers, pa.int64()))
    assert found.to_pylist() == [None if number is None else values[number] for number in numbers]


def large(kind: Any) -> pa.ChunkedArray[Any]:
    """Two large texts and a small one, each an array of its own; their memory is the system's page of zeros."""
    zeros = pa.py_buffer(np.zeros(SOME, np.uint8))
    ends = pa.py_buffer(np.array([0, SOME], np.int32))
    texts = pa.Array.from_buffers(kind, 1, [None, ends, zeros])
    return pa.chunked_array([texts, texts, pa.array(["small"], kind)])


@pytest.mark.slow
def test_more_than_one_array_can_hold_is_several() -> None:
    found = taken(large(pa.binary()), pa.array([2, 0, None, 1, 2]))
    assert pc.binary_length(found).to_pylist() == [5, SOME, None, SOME, 5]
    assert (found.type, found.num_chunks > 1) == (pa.binary(), True)


@pytest.mark.slow
def test_a_retrieval_answers_more_text_than_one_array_can_hold() -> None:
    text = large(pa.string()).slice(1)
    source = pa.table({"key": [1, 2], "at": pa.array([0, 0], pa.timestamp("us")), "text": text})
    spine = pa.table({"key": [1, 2, 1], "at": pa.array([5, 5, 5], pa.timestamp("us", "UTC"))})
    view = FeatureTable(source, {"found": "text"}, {"key": "key"}, "at", None, None)
    found = point_in_time_join(spine, [view], event_timestamp="at").column("found")
    assert pc.binary_length(found).to_pylist() == [SOME, 5, SOME]


@pytest.mark.slow
def test_text_of_any_layout_becomes_the_declared_one_however_much_there_is() -> None:
    wide = pa.concat_arrays([chunk.cast(pa.large_string()) for chunk in large(pa.string()).chunks])
    found = lossless("text", pa.chunked_array([wide]), pa.string())
    assert pc.binary_length(found).to_pylist() == [SOME, SOME, 5]
