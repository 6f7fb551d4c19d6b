"""Which tables have no digest, and what the error names."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lineage.errors import NotDigestible
from lineage.td1 import CHUNK_ROWS, Digester, digest_batches, digest_table


def named(*columns: tuple[str | bytes, pa.Array]) -> pa.Table:
    schema = pa.schema([pa.field(name, array.type) for name, array in columns])
    return pa.Table.from_arrays([array for _, array in columns], schema=schema)


def failure(table: pa.Table) -> tuple[str, str | None, int | None]:
    with pytest.raises(NotDigestible) as raised:
        digest_table(table)
    return raised.value.kind, raised.value.column, raised.value.row


BAD_TEXT = pa.array([b"ok", b"\xff"]).view(pa.string())
BAD_TIME = pa.array([1, 1000], pa.timestamp("ns"))
DURATION = pa.array([1, 2], pa.duration("s"))


def test_duplicate_names_come_before_other_schema_errors() -> None:
    assert failure(named(("a", DURATION), ("b", BAD_TIME), ("b", BAD_TIME))) == ("duplicate_name", "b", None)


def test_duplicate_fields_of_a_struct_are_duplicate_names_of_its_column() -> None:
    twice = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    assert failure(named(("s", twice))) == ("duplicate_name", "s", None)


def test_a_maps_entry_fields_may_have_any_names_even_one() -> None:
    kind = pa.map_(pa.field("x", pa.string(), nullable=False), pa.field("x", pa.int8()))
    usual = pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8()))
    renamed = pa.Array.from_buffers(kind, 1, usual.buffers()[:2], children=[usual.values])
    assert digest_table(named(("m", renamed))).digest == digest_table(named(("m", usual))).digest


def test_schema_errors_come_in_descriptor_order_before_values() -> None:
    assert failure(named(("c", DURATION), ("b", DURATION), ("a", BAD_TIME))) == ("unsupported_type", "b", None)


@pytest.mark.parametrize("kind", [pa.duration("s"), pa.month_day_nano_interval(), pa.list_(pa.duration("s"))])
def test_types_without_encoding_are_unsupported(kind: pa.DataType) -> None:
    assert failure(named(("a", pa.nulls(1, kind)))) == ("unsupported_type", "a", None)


def test_unions_are_unsupported() -> None:
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    assert failure(named(("u", union))) == ("unsupported_type", "u", None)


def test_names_must_be_utf8_too() -> None:
    assert failure(named((b"\xff", pa.array([1])))) == ("invalid_utf8", "\\xff", None)
    assert failure(
        named(("s", pa.StructArray.from_arrays([pa.array([1])], fields=[pa.field(b"\xff", pa.int64())])))
    ) == (
        "invalid_utf8",
        "s",
        None,
    )


def test_the_lowest_chunk_wins_then_the_first_column() -> None:
    rows = CHUNK_ROWS + 10
    late, early = np.zeros(rows, "i8"), np.zeros(rows, "i8")
    late[CHUNK_ROWS + 1] = 1
    early[[7, 9]] = 1
    nanoseconds = pa.timestamp("ns")
    table = named(("a", pa.array(late, nanoseconds)), ("b", pa.array(early, nanoseconds)))
    assert failure(table) == ("not_whole_microsecond", "b", 7)
    assert failure(table.slice(10)) == ("not_whole_microsecond", "a", CHUNK_ROWS + 1 - 10)
    both = named(("b", pa.array(early, nanoseconds)), ("a", pa.array(np.roll(early, 50), nanoseconds)))
    assert failure(both) == ("not_whole_microsecond", "a", 57)


def test_an_error_inside_lists_and_structs_names_the_row_of_the_table() -> None:
    inner = pa.array([1000, 1000, 2000, 5, 5], pa.timestamp("ns"))
    lists = pa.ListArray.from_arrays(pa.array([0, 0, 2, 2, 4, 5], pa.int32()), inner)
    assert failure(named(("l", lists))) == ("not_whole_microsecond", "l", 3)
    fields = pa.StructArray.from_arrays(
        [pa.array([0, 0, 1], pa.timestamp("ns")), pa.array([0, 1, 0], pa.time64("ns"))], names=["a", "b"]
    )
    assert failure(named(("s", fields))) == ("not_whole_microsecond", "s", 1)


def test_the_row_counts_over_batches() -> None:
    good, bad = (pa.record_batch({"t": pa.array(values, pa.timestamp("ns"))}) for values in ([0, 0, 0], [0, 7]))
    with pytest.raises(NotDigestible) as raised:
        digest_batches(good.schema, [good, bad, bad])
    assert (raised.value.row, str(raised.value.kind)) == (4, "not_whole_microsecond")


@pytest.mark.parametrize(
    "text",
    [b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"],
    ids=["surrogate", "overlong", "beyond", "cut off"],
)
@pytest.mark.parametrize("stored", [pa.string(), pa.large_string(), pa.string_view()])
def test_strings_that_are_not_utf8_are_refused(text: bytes, stored: pa.DataType) -> None:
    binary = (
        pa.binary_view()
        if stored == pa.string_view()
        else pa.large_binary()
        if stored == pa.large_string()
        else pa.binary()
    )
    assert failure(named(("s", pa.array(["é".encode(), None, text], binary).view(stored)))) == ("invalid_utf8", "s", 2)


def test_each_string_must_be_utf8_by_itself() -> None:
    halves = pa.array([b"\xc3", b"\xa9"]).view(pa.string())
    assert failure(named(("s", halves))) == ("invalid_utf8", "s", 0)


def test_what_no_valid_row_uses_is_never_an_error() -> None:
    text = pa.array([b"ok", b"\xff"]).view(pa.string())
    unused = pa.DictionaryArray.from_arrays(pa.array([0, None], pa.int8()), text)
    assert digest_table(named(("s", unused))).digest == digest_table(named(("s", pa.array(["ok", None])))).digest
    hidden = pa.Array.from_buffers(pa.timestamp("ns"), 2, [pa.py_buffer(b"\x02"), pa.array([1, 1000]).buffers()[1]])
    shown = pa.array([None, 1], pa.timestamp("us"))
    assert digest_table(named(("t", hidden))).digest == digest_table(named(("t", shown))).digest


def coded(codes: list[int | None], text: pa.Array) -> pa.Table:
    return named(("s", pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), text, safe=False)))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(pa.array([b"\xc3\xa9", b"\xff"]).view(pa.string()), id="text that is not UTF-8"),
        pytest.param(
            pa.Array.from_buffers(
                pa.string(), 2, [None, pa.array([0, 2, 1], pa.int32()).buffers()[1], pa.py_buffer("é".encode())]
            ),
            id="offsets that run backwards",
        ),
    ],
)
def test_an_entry_that_no_row_of_a_long_column_uses_may_be_anything(text: pa.Array) -> None:
    found = digest_table(coded([0, None, 0, 0], text)).digest
    assert found == digest_table(named(("s", pa.array(["é", None, "é", "é"])))).digest


def test_an_entry_of_a_dictionary_is_named_by_the_first_row_that_uses_it() -> None:
    text = pa.array([b"\xc3\xa9", b"\xff"]).view(pa.string())
    assert failure(coded([0, None, 0, 1, 1], text)) == ("invalid_utf8", "s", 3)


def test_a_column_of_nulls_needs_no_dictionary() -> None:
    found = digest_table(coded([None, None], pa.array([], pa.string()))).digest
    assert found == digest_table(named(("s", pa.array([None, None], pa.string())))).digest


@pytest.mark.parametrize("name", ["b", "c"])
def test_another_name_or_type_in_a_later_batch_is_a_schema_change(name: str) -> None:
    digester = Digester(pa.schema({"a": pa.int64(), "b": pa.int64()}))
    with pytest.raises(NotDigestible) as raised:
        digester.update(pa.record_batch({"a": pa.array([1]), name: pa.array(["x"])}))
    assert (raised.value.kind, raised.value.column, raised.value.row) == ("schema_change", "b", None)


def test_a_schema_change_comes_before_the_values_of_earlier_batches() -> None:
    bad = pa.record_batch({"t": pa.array(np.ones(CHUNK_ROWS, "i8"), pa.timestamp("ns"))})
    with pytest.raises(NotDigestible) as raised:
        digest_batches(bad.schema, [bad, pa.record_batch({"t": pa.array([1])})])
    assert raised.value.kind == "schema_change"


def test_a_finished_digester_takes_no_more_rows() -> None:
    digester = Digester(pa.schema({"a": pa.int64()}))
    digester.finish()
    with pytest.raises(RuntimeError, match="finished"):
        digester.update(pa.record_batch({"a": pa.array([1])}))


def broken(stored: pa.DataType, *buffers: bytes, children: tuple[pa.Array, ...] = (), rows: int = 2) -> pa.Array:
    return pa.Array.from_buffers(stored, rows, [None, *map(pa.py_buffer, buffers)], children=list(children))


def words(*numbers: int) -> bytes:
    return np.array(numbers, "i4").tobytes()


@pytest.mark.parametrize(
    "array",
    [
        pytest.param(broken(pa.string(), words(0, 9, 2), b"ab"), id="offsets run backwards"),
        pytest.param(broken(pa.string(), words(0, 99, 99, 2), b"ab", rows=3), id="offsets leave the data"),
        pytest.param(
            broken(pa.list_(pa.int64()), words(0, 5, 1), children=(pa.array([1, 2]),)), id="lists leave the child"
        ),
        pytest.param(
            broken(pa.list_view(pa.int64()), words(0, 1), words(1, 9), children=(pa.array([1]),)),
            id="list views leave it",
        ),
        pytest.param(broken(pa.string_view(), words(20, 0, 0, 0, 20, 0, 0, 7), b"x" * 24), id="views leave the data"),
        pytest.param(
            pa.DictionaryArray.from_arrays(pa.array([0, 9]), pa.array(["a"]), safe=False), id="an unknown code"
        ),
    ],
)
def test_broken_arrow_is_refused_without_reading_outside(array: pa.Array) -> None:
    kind, _, row = failure(named(("a", array)))
    assert (kind, row) == ("invalid_arrow", None)
