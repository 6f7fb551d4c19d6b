"""The published td1 vectors, and the Arrow arrays that each describes."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.lineage.td1.arrays import array_of, laid_out, python_value, raw_value

FOLDER = Path(__file__).parents[4] / "shared" / "vectors" / "td1"

Json = Any


@cache
def vectors() -> dict[str, Json]:
    """All vectors by name; none where the folder is not there."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def batch_of(vector: Json) -> pa.RecordBatch:
    """The vector's columns, stored as it says."""
    columns = [column_array(column, vector["rows"]) for column in vector["columns"]]
    if not columns:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * vector["rows"], pa.struct([])))
    return pa.RecordBatch.from_arrays(columns, names=[column["name"] for column in vector["columns"]])


def column_array(column: Json, rows: int) -> pa.Array:
    """One column as the Arrow array its ``arrow``, ``values`` and ``layout`` describe."""
    stored = arrow_type(column)
    if "type" not in column:  # an error vector
        return array_of(stored, [raw_value(stored, value) for value in column["values"]])
    if "layout" in column:
        return laid_out(stored, column["layout"], column["values"])
    if "generator" in column:
        return pa.array(generated(column["generator"]["formula"], rows), stored)
    return array_of(stored, [python_value(stored, value) for value in column["values"]])


@cache
def generated(formula: str, rows: int) -> list[Any]:
    """The values of a column that is described by a formula, as plain Python values."""
    code = compile(formula, "<generator>", "eval")
    return [eval(code, {"__builtins__": {"range": range, "str": str}, "i": i}) for i in range(rows)]


# Types, as pyarrow prints them

_PLAIN = {
    str(kind): kind
    for kind in (
        *(pa.type_for_alias(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)),
        *(pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.null()),
        *(pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()),
        *(pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
        *(pa.duration("us"), pa.uuid(), pa.bool8()),
    )
}
_LISTS = {
    "list": pa.list_,
    "large_list": pa.large_list,
    "list_view": pa.list_view,
    "large_list_view": pa.large_list_view,
}


def arrow_type(column: Json) -> pa.DataType:
    """The Arrow type that prints as ``column["arrow"]``."""
    found = parsed_type(column["arrow"], column.get("type"))
    assert str(found) == column["arrow"], (found, column["arrow"])
    return found


def parsed_type(text: str, logical: Json) -> pa.DataType:
    """``text`` read as a type; struct fields are told from the logical type, as their names may hold anything."""
    if text in _PLAIN:
        return _PLAIN[text]
    if text.startswith("struct<"):
        return struct_type(text, dict(logical[1]))
    if match := re.fullmatch(r"(\w*list\w*)<(\w+): (.*)>(?:\[(\d+)\])?", text):
        item = pa.field(match[2], parsed_type(match[3], logical[1]))
        return pa.list_(item, int(match[4])) if match[4] else _LISTS[match[1]](item)
    if match := re.fullmatch(r"map<(\w+), (.*?)(, keys_sorted)?>", text):
        key, value = parsed_type(match[1], logical[1]), parsed_type(match[2], logical[2])
        return pa.map_(key, value, keys_sorted=bool(match[3]))
    return _parameterised(text)


def _parameterised(text: str) -> pa.DataType:
    if match := re.fullmatch(r"(decimal\d+)\((\d+), (-?\d+)\)", text):
        return getattr(pa, match[1])(int(match[2]), int(match[3]))
    if match := re.fullmatch(r"timestamp\[(\w+)(?:, tz=(.*))?\]", text):
        return pa.timestamp(match[1], match[2])
    if match := re.fullmatch(r"fixed_size_binary\[(\d+)\]", text):
        return pa.binary(int(match[1]))
    if match := re.fullmatch(r"extension<arrow.(\w+)>", text):
        return {"uuid": pa.uuid(), "bool8": pa.bool8()}[match[1]]
    if match := re.fullmatch(r"dictionary<values=(\w+), indices=(\w+), ordered=0>", text):
        return pa.dictionary(_PLAIN[match[2]], _PLAIN[match[1]])
    if match := re.fullmatch(r"run_end_encoded<run_ends: (\w+), values: (\w+)>", text):
        return pa.run_end_encoded(_PLAIN[match[1]], _PLAIN[match[2]])
    raise ValueError(text)


def struct_type(text: str, kinds: dict[str, Json]) -> pa.DataType:
    """The struct type whose fields, in some order of the known names, print as ``text``."""
    rest = text.removeprefix("struct<")
    fields: list[pa.Field] = []
    while rest != ">":
        name = max((n for n in kinds if rest.startswith(f"{n}: ") and n not in [f.name for f in fields]), key=len)
        rest = rest.removeprefix(f"{name}: ")
        size = next(
            size
            for size in range(1, len(rest) + 1)
            if rest[size:][:1] in (",", ">") and _reads(rest[:size], kinds[name])
        )
        fields.append(pa.field(name, parsed_type(rest[:size], kinds[name])))
        rest = rest[size:].removeprefix(", ")
    return pa.struct(fields)


def _reads(text: str, logical: Json) -> bool:
    if text.count("<") != text.count(">"):
        return False
    try:
        parsed_type(text, logical)
    except (ValueError, KeyError):
        return False
    return True
