"""Tables that both ways of validating are held against."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

SCHEMA = pa.schema(
    [
        ("whole", pa.int64()),
        ("small", pa.int32()),
        ("double", pa.float64()),
        ("single", pa.float32()),
        ("text", pa.string()),
        ("other", pa.string()),
        ("truth", pa.bool_()),
        ("moment", pa.timestamp("us", tz="UTC")),
        ("later", pa.timestamp("us", tz="UTC")),
        ("decimal", pa.decimal128(12, 2)),
        ("day", pa.date32()),
        ("list", pa.list_(pa.float64())),
    ]
)
_NAN, _INF = math.nan, math.inf
_T = dt.datetime(2024, 3, 31, 1, 30, tzinfo=dt.UTC)
_HOUR = dt.timedelta(hours=1)

ORDINARY = pa.table(
    {
        "whole": [3, 1, 2, None, 2, 7],
        "small": [1, 1, 2, 3, 5, 8],
        "double": [0.5, _NAN, -0.0, 0.0, None, 9.25],
        "single": [0.1, 0.2, None, 0.1, _NAN, 3.0],
        "text": ["a1", "b2", None, "a1", "Ärztin", ""],
        "other": ["a1", "c3", None, None, "Ärztin", "x\n"],
        "truth": [True, False, None, True, True, False],
        "moment": [_T, _T + _HOUR, None, _T + 2 * _HOUR, _T, _T + 3 * _HOUR],
        "later": [_T, _T + 2 * _HOUR, None, _T, None, _T + 4 * _HOUR],
        "decimal": [Decimal("1.10"), Decimal("1.10"), None, Decimal("-3.00"), Decimal("2.00"), None],
        "day": [dt.date(2024, 1, 1), None, dt.date(2024, 1, 1), dt.date(2023, 5, 5), None, dt.date(1969, 12, 31)],
        "list": [[1.0], [], None, [1.0, _NAN], [2.0], [3.0]],
    },
    schema=SCHEMA,
)
SORTED = pa.table({name: ORDINARY.column(name).take([0, 1]) for name in SCHEMA.names}).select(SCHEMA.names)
MISSING = pa.table({field.name: pa.nulls(3, field.type) for field in SCHEMA})
NUMBERS = pa.table(
    {
        **{field.name: pa.nulls(4, field.type) for field in SCHEMA},
        "whole": pa.array([1, 2, 3, 4]),
        "small": pa.array([4, 3, 2, 1], pa.int32()),
        "double": pa.array([-_INF, _INF, _INF, 1.0]),
        "single": pa.array([1.5, 1.5, 2.5, 3.5], pa.float32()),
        "text": pa.array(["a1", "b22", "c333", "a1"]),
        "truth": pa.array([True, False, True, True]),
    },
    schema=SCHEMA,
)
TABLES = {
    "ordinary": ORDINARY,
    "empty": SCHEMA.empty_table(),
    "missing": MISSING,
    "one row": ORDINARY.slice(0, 1),
    "numbers": NUMBERS,
    "sorted": SORTED,
}

_FINITE = st.floats(min_value=-1e6, max_value=1e6, width=32)
_VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "whole": st.integers(-4, 4) | st.integers(-(2**52), 2**52),
    "small": st.integers(-3, 3),
    "double": st.sampled_from([0.0, -0.0, 0.1, _NAN, _INF, -_INF, 5e-324, 1e308]) | _FINITE,
    "single": st.sampled_from([0.0, -0.0, _NAN, _INF]) | _FINITE,
    "text": st.text(max_size=3) | st.sampled_from(["a1", "b2", "b2\n", "a-1"]),
    "other": st.sampled_from(["a1", "b2", ""]),
    "truth": st.booleans(),
    "moment": st.integers(0, 4).map(lambda hours: _T + hours * _HOUR),
    "later": st.integers(0, 4).map(lambda hours: _T + hours * _HOUR),
    "decimal": st.integers(-3, 3).map(lambda cents: Decimal(cents).scaleb(-2)),
    "day": st.dates(dt.date(2024, 1, 1), dt.date(2024, 1, 4)),
    "list": st.lists(st.sampled_from([1.0, _NAN]), max_size=2),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """A table of few rows and values, so that repetitions and missing values are frequent."""
    rows = draw(st.integers(0, 8))
    complete = draw(st.booleans())
    columns = {}
    for field in SCHEMA:
        one = _VALUES[field.name] if complete else st.none() | _VALUES[field.name]
        columns[field.name] = pa.array(draw(st.lists(one, min_size=rows, max_size=rows)), field.type)
    return pa.table(columns, schema=SCHEMA)
