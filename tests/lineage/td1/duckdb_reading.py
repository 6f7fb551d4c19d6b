"""Parquet files as ``reference`` takes them, read by DuckDB: with ``reference`` a td1 that knows no pyarrow."""

from __future__ import annotations

import datetime as dt
from decimal import Context
from pathlib import Path
from typing import Any

import duckdb

from tests.lineage.td1.reference import Kind

_SIMPLE = {
    **{
        f"{sign}{name}": f"{letter}{bits}"
        for sign, letter in (("", "i"), ("u", "u"))
        for name, bits in (("tinyint", 8), ("smallint", 16), ("integer", 32), ("bigint", 64))
    },
    "float": "f32",
    "double": "f64",
    "boolean": "bool",
    "varchar": "utf8",
    "blob": "bytes",
    "date": "date",
    "time": "time_us",
    "timestamp": "ts_us",
    "timestamp_ms": "ts_us",
    "timestamp_s": "ts_us",
    "timestamp with time zone": "ts_us_utc",
}
_EXACT = Context(prec=60)
_EPOCH = dt.datetime.fromisoformat("1970-01-01")


def read_parquet(path: Path) -> tuple[dict[str, tuple[Kind, list[Any]]], int]:
    """Type and values of each column, and the number of rows."""
    with duckdb.connect() as connection:
        given = connection.from_parquet(str(path))
        kinds = {name: kind_of(stored) for name, stored in zip(given.columns, given.types, strict=True)}
        # DuckDB's driver gives times with a zone only where pytz is: their microseconds it always gives.
        chosen = ", ".join(f"epoch_us({_quoted(n)})" if k == "ts_us_utc" else _quoted(n) for n, k in kinds.items())
        rows = given.project(chosen).fetchall()
    columns = {
        name: (kind, [neutral(kind, row[number]) for row in rows]) for number, (name, kind) in enumerate(kinds.items())
    }
    return columns, len(rows)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def kind_of(stored: Any) -> Kind:
    """The logical type of one of DuckDB's types."""
    if stored.id in ("decimal", "list", "struct", "map"):
        inner = stored.children
        if stored.id == "decimal":
            return ["dec", inner[0][1], inner[1][1]]
        kinds = [[name, kind_of(child)] for name, child in inner]
        if stored.id == "struct":
            return ["struct", sorted(kinds, key=lambda pair: pair[0].encode())]
        return [stored.id, *(kind for _, kind in kinds)]
    return _SIMPLE[stored.id]


def neutral(kind: Kind, value: Any) -> Any:
    """One of DuckDB's values as ``reference`` takes it."""
    match value:
        case None:
            return None
        case str():
            return value.encode()
        case dt.datetime():
            return (value - _EPOCH) // dt.timedelta(microseconds=1)
        case dt.date():
            return (value - _EPOCH.date()).days
        case dt.time():
            return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    match kind:
        case ["dec", _, scale]:
            return int(value.scaleb(scale, _EXACT))
        case ["list", item]:
            return [neutral(item, one) for one in value]
        case ["struct", fields]:
            return {name: neutral(inner, value[name]) for name, inner in fields}
        case ["map", key, inner]:
            return [(neutral(key, one), neutral(inner, other)) for one, other in value.items()]
    return value
