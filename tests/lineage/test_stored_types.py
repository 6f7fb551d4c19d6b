"""Whatever Arrow type a column has, a snapshot stores it and gives it back as one type for each logical type."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lineage.errors import LossyCast, NotDigestible
from lineage.objects import DirectoryObjects
from lineage.snapshots import SnapshotStore
from lineage.stored_types import as_given, stored_schema, to_store
from lineage.td1 import digest_table
from tests.lineage.snapshot_tables import opened, put

ENTRIES = pa.map_(pa.large_string(), pa.float16())
COLUMNS: dict[str, tuple[Any, pa.DataType]] = {
    "date64": (pa.array([86_400_000, None], pa.date64()), pa.date32()),
    "float16": (pa.array([np.float16(1.5), None], pa.float16()), pa.float32()),
    "wide decimal": (pa.array([Decimal("1.25")], pa.decimal256(5, 2)), pa.decimal128(5, 2)),
    "narrow decimal": (pa.array([Decimal("1.25")], pa.decimal32(5, 2)), pa.decimal128(5, 2)),
    "widest decimal": (pa.array([Decimal("1.25")], pa.decimal256(60, 2)), pa.decimal256(60, 2)),
    "run ends": (pa.RunEndEncodedArray.from_arrays([2, 3], pa.array(["a", None])), pa.string()),
    "dictionary": (pa.array([1, 1, None]).dictionary_encode(), pa.int64()),
    "dictionary with a null": (
        pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["a", None], pa.large_string())),
        pa.string(),
    ),
    "large": (pa.array(["a", None], pa.large_string()), pa.string()),
    "view": (pa.array(["a", None], pa.string_view()), pa.string()),
    "binary view": (pa.array([b"a", None], pa.binary_view()), pa.binary()),
    "fixed binary": (pa.array([b"ab", None], pa.binary(2)), pa.binary()),
    "uuid": (pa.array([bytes(16)], pa.uuid()), pa.binary()),
    "list view": (pa.array([[1], None], pa.list_view(pa.int64())), pa.list_(pa.int64())),
    "fixed list": (pa.array([None, [1, None]], pa.list_(pa.int64(), 2)), pa.list_(pa.int64())),
    "large list": (pa.array([["a"], None], pa.large_list(pa.large_string())), pa.list_(pa.string())),
    "list of dictionaries": (
        pa.array([["a", None]], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
        pa.list_(pa.string()),
    ),
    "list without nulls": (
        pa.array([[1]], pa.list_(pa.field("item", pa.int64(), nullable=False))),
        pa.list_(pa.int64()),
    ),
    "fields in another order": (
        pa.array([{"b": 1, "a": "x"}, None], pa.struct([("b", pa.int8()), ("a", pa.large_string())])),
        pa.struct([("a", pa.string()), ("b", pa.int8())]),
    ),
    "map": (pa.array([[("a", np.float16(1))], None], ENTRIES), pa.map_(pa.string(), pa.float32())),
    "nulls alone": (pa.nulls(3), pa.null()),
    "nanoseconds": (pa.array([1000, None], pa.timestamp("ns")), pa.timestamp("us")),
    "seconds elsewhere": (pa.array([5], pa.timestamp("s", "Europe/Paris")), pa.timestamp("us", "UTC")),
    "elsewhere": (pa.array([5], pa.timestamp("us", "Europe/Paris")), pa.timestamp("us", "UTC")),
    "time": (pa.array([5], pa.time32("s")), pa.time64("us")),
}


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(DirectoryObjects(tmp_path / "objects"), min_rows=1)


@pytest.mark.parametrize("kind", COLUMNS)
def test_every_type_that_has_a_digest_is_stored_and_given_back_as_one_type(store: SnapshotStore, kind: str) -> None:
    column, expected = COLUMNS[kind]
    table = pa.table({"c": column})
    given = opened(store, put(store, table)[0]).to_arrow()
    assert given.schema.types == [expected]
    assert digest_table(given) == digest_table(table)


def test_a_slice_is_stored_without_what_lies_outside_it(store: SnapshotStore) -> None:
    column = pa.array([[10**12 + 1], [1000], [2000]], pa.list_(pa.timestamp("ns"))).slice(1)
    given = opened(store, put(store, pa.table({"c": column}))[0]).to_arrow()
    assert digest_table(given) == digest_table(pa.table({"c": column}))


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (pa.decimal128(5, -2), "scale -2"),
        (pa.decimal128(5, 7), "scale 7"),
        (pa.struct([]), "struct without fields"),
        (pa.list_(pa.struct([])), "struct without fields"),
    ],
    ids=str,
)
def test_what_parquet_does_not_hold_is_refused_by_its_column(
    store: SnapshotStore, kind: pa.DataType, says: str
) -> None:
    with pytest.raises(NotDigestible, match=f"unsupported_type in column 'c': .*{says}") as refused:
        put(store, pa.table({"a": [1], "c": pa.nulls(1, kind)}))
    assert (refused.value.kind, refused.value.column) == ("unsupported_type", "c")


def test_what_arrow_cannot_decode_is_refused_by_its_column(store: SnapshotStore) -> None:
    runs = pa.RunEndEncodedArray.from_arrays([1], pa.array(["a"]))
    with pytest.raises(LossyCast, match="Column 'c', row 0"):
        put(store, pa.table({"c": pa.ListArray.from_arrays([0, 1], runs)}))


def test_what_neither_digest_nor_file_takes_is_named_as_the_digest_names_it(store: SnapshotStore) -> None:
    with pytest.raises(NotDigestible, match="not_whole_microsecond in column 'c' at row 1"):
        put(store, pa.table({"c": pa.array([1000, 1001], pa.timestamp("ns"))}))


def test_what_parquet_writes_as_the_same_bytes_is_not_copied() -> None:
    column = pa.chunked_array([pa.array(["a"], pa.large_string())])
    stored = to_store(pa.table({"z": [1], "c": column}))
    assert stored.column_names == ["c", "z"]
    assert stored["c"].chunk(0).buffers()[2].address == column.chunk(0).buffers()[2].address
    assert stored["c"].type == pa.large_string()


@pytest.mark.slow
def test_texts_too_long_for_one_array_are_given_in_several() -> None:
    text = pa.array(["x" * (1 << 20)], pa.large_string()).take(pa.array([0] * 2050))
    given = as_given(pa.table({"c": text}))["c"]
    assert given.type == pa.string()
    assert len(given) == 2050
    assert given.num_chunks > 1
    assert given.chunk(given.num_chunks - 1)[-1].as_py() == "x" * (1 << 20)


def test_the_stored_schema_has_the_order_of_the_descriptor() -> None:
    names = ["\U0001f600", "z", "a", "\uff5e", "B"]
    found = stored_schema(pa.schema([(name, pa.int8()) for name in names]))
    assert (
        found.names == sorted(names, key=str.encode) == [one.name for one in digest_table(found.empty_table()).columns]
    )
