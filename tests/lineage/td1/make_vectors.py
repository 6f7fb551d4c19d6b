"""The published Parquet vectors of td1: ``python -m tests.lineage.td1.make_vectors`` writes them anew.

``vectors/<name>.parquet`` are tiny files, ``vectors/digests.json`` what each of them gives. The digests are those of
the second implementation (``duckdb_reading`` and ``reference``), so that the first one is tested by them.
"""

from __future__ import annotations

import json
import math
import struct
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.lineage.td1.duckdb_reading import read_parquet
from tests.lineage.td1.reference import CHUNK, column_root, table_root

FOLDER = Path(__file__).parent / "vectors"
DIGESTS = FOLDER / "digests.json"


def _doubles() -> pa.Table:
    quiet, signalling = (struct.unpack("<d", struct.pack("<Q", bits))[0] for bits in (2**63 - 1, 0x7FF0_0000_0000_0001))
    values = [0.1, math.nextafter(0.1, 1), -0.0, 0.0, None, math.nan, quiet, signalling, math.inf, -math.inf, 5e-324]
    return pa.table({"f64": pa.array(values), "f32": pa.array([v and float(v) for v in values], pa.float32())})


def _integers() -> pa.Table:
    kinds = [pa.type_for_alias(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)]
    ends = {kind: _ends(kind) for kind in kinds}
    return pa.table({str(kind): pa.array([*found, None, 0], kind) for kind, found in ends.items()})


def _ends(kind: pa.DataType) -> tuple[int, int]:
    low = -(1 << kind.bit_width - 1) if pa.types.is_signed_integer(kind) else 0
    return low, low + (1 << kind.bit_width) - 1


def _strings() -> pa.Table:
    text = ["Ärztin", "A\u0308rztin", "", None, "日本", "😀", "a\x00b", "Ärztin"]
    return pa.table(
        {
            "utf8": text,
            "dictionary": pa.array(text).dictionary_encode(),
            "bytes": pa.array([value and value.encode("utf-16-le") for value in text], pa.binary()),
        }
    )


def _decimals() -> pa.Table:
    values = [Decimal("-1.25"), None, Decimal("999.99"), Decimal(0)]
    wide = [Decimal(-1).scaleb(-10), Decimal("9" * 28 + "." + "9" * 10), None, Decimal(7)]
    return pa.table({"narrow": pa.array(values, pa.decimal128(5, 2)), "wide": pa.array(wide, pa.decimal128(38, 10))})


def _nested() -> pa.Table:
    point = pa.struct([("y", pa.float64()), ("x", pa.int32()), ("ü", pa.string())])
    return pa.table(
        {
            "list": pa.array([[1, None], None, [], [3]], pa.list_(pa.int32())),
            "lists": pa.array([[["a"], None], [[]], None, [["é", None, ""]]], pa.list_(pa.list_(pa.string()))),
            "struct": pa.array([{"x": 1, "y": 0.5, "ü": "ß"}, None, {"x": None, "y": -0.0, "ü": None}, {}], point),
            "map": pa.array([[("a", 1), ("b", None)], None, [], [("", 3)]], pa.map_(pa.string(), pa.int64())),
        }
    )


def _times() -> pa.Table:
    micros = [0, -1, None, 1_700_000_000_123_456]
    return pa.table(
        {
            "naive": pa.array(micros, pa.timestamp("us")),
            "zoned": pa.array(micros, pa.timestamp("us", "Europe/Berlin")),
            "milliseconds": pa.array(micros, pa.timestamp("us")).cast(pa.timestamp("ms"), safe=False),
            "date": pa.array([0, -1, None, 20_000], pa.date32()),
            "time": pa.array([0, 1, None, 86_399_999_999], pa.time64("us")),
            "bool": [True, False, None, True],
        }
    )


TABLES = {
    "decimals": _decimals(),
    "doubles": _doubles(),
    "integers": _integers(),
    "nested": _nested(),
    "no-rows": _strings().slice(0, 0),
    "strings": _strings(),
    "times": _times(),
    "two-chunks": pa.table({"n": pa.array([7] * (CHUNK + 1), pa.int8())}),
}


def main() -> None:
    """Writes files and digests."""
    FOLDER.mkdir(exist_ok=True)
    found = {}
    for name, table in TABLES.items():
        path = FOLDER / f"{name}.parquet"
        pq.write_table(table, path, compression="zstd", write_statistics=False, use_dictionary=["dictionary", "n"])
        columns, rows = read_parquet(path)
        roots = {column: column_root(*columns[column]).hex() for column in sorted(columns, key=str.encode)}
        found[name] = {"rows": rows, "column_roots": roots, "digest": table_root(columns, rows)}
    DIGESTS.write_text(json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
