"""Expectations that both ways of validating are asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.governance.validation.one_pass.tables import SCHEMA


def _condition(column: str, operator: str, parameter: Any) -> dict[str, Any]:
    return {"type": "comparison", "column": {"name": column}, "operator": operator, "parameter": parameter}


_CONDITIONS: tuple[dict[str, Any], ...] = (
    {"row_condition": _condition("whole", "!=", 2), "condition_parser": "pandas"},
    {"row_condition": _condition("other", "IN", ["a1", "b2"])},
    {"row_condition": _condition("other", "NOT_IN", ["a1"])},
    {"row_condition": {"type": "nullity", "column": {"name": "double"}, "is_null": False}},
    {
        "row_condition": {
            "type": "or",
            "conditions": [
                {
                    "type": "and",
                    "conditions": [_condition("small", ">=", 2), _condition("other", "!=", "a1")],
                },
                {"type": "nullity", "column": {"name": "text"}, "is_null": True},
            ],
        }
    },
    {"row_condition": 'other=="a1"', "condition_parser": "pandas"},
    {"row_condition": "double > 0.25", "condition_parser": "pandas"},
)
_BETWEEN: tuple[dict[str, Any], ...] = (
    {"min_value": 0, "max_value": 2},
    {"min_value": 0, "max_value": 2, "strict_min": True, "strict_max": True},
    {"max_value": 2, "mostly": 0.5},
    {"min_value": 0.1, "mostly": 0.25},
)
_LIMITS: tuple[dict[str, Any], ...] = (
    {"min_value": 0, "max_value": 2.5},
    {"min_value": -1.5, "strict_min": True},
    {"max_value": 1, "strict_max": True},
)
_EVERY = tuple(SCHEMA.names)
_NUMERIC = ("whole", "small", "double", "single")
_EQUAL = tuple(name for name in _EVERY if name != "list")
_REGEX = (r"^[a-c]\d$", r"\d+", r"^\w*$", r"[^0-9]", r"a-?1", r"^.{2}$", r"^[\w-]{2,3}$", r"\.", "^$", r"^(a|b)\d$")


Case = tuple[str, dict[str, Any]]


def cases() -> Iterator[Case]:
    """Each supported expectation with arguments that show its corners."""
    yield from _missing()
    yield from _distinct()
    yield from _numbers()
    yield from _moments()
    yield from _sets()
    yield from _texts()
    yield from _several()
    yield from _conditional()
    yield from _shape()


def _missing() -> Iterator[Case]:
    for column in _EVERY:
        for kind in ("expect_column_values_to_not_be_null", "expect_column_values_to_be_null"):
            yield kind, {"column": column}
            yield kind, {"column": column, "mostly": 0.5}
        yield "expect_column_proportion_of_non_null_values_to_be_between", {"column": column, "min_value": 0.5}


def _distinct() -> Iterator[Case]:
    share = {"min_value": 0.5, "strict_max": True, "max_value": 1}
    for column in _EQUAL:
        yield "expect_column_values_to_be_unique", {"column": column}
        yield "expect_column_values_to_be_unique", {"column": column, "mostly": 0.4}
        yield "expect_column_unique_value_count_to_be_between", {"column": column, "min_value": 1, "max_value": 3}
        yield "expect_column_proportion_of_unique_values_to_be_between", {"column": column, **share}


def _numbers() -> Iterator[Case]:
    for column in _NUMERIC:
        for between in _BETWEEN:
            yield "expect_column_values_to_be_between", {"column": column, **between}
        for limits in _LIMITS:
            for name in ("mean", "stdev", "median", "sum", "min", "max"):
                yield f"expect_column_{name}_to_be_between", {"column": column, **limits}
    for column in (*_NUMERIC, "moment"):
        for kind in ("increasing", "decreasing"):
            yield f"expect_column_values_to_be_{kind}", {"column": column}
            yield f"expect_column_values_to_be_{kind}", {"column": column, "strictly": True, "mostly": 0.6}


def _moments() -> Iterator[Case]:
    for bound in ("2024-03-31T02:30:00Z", "2024-03-31T04:30:00.000001+02:00"):
        for name in ("values", "min", "max"):
            yield f"expect_column_{name}_to_be_between", {"column": "moment", "min_value": bound}
            yield f"expect_column_{name}_to_be_between", {"column": "moment", "max_value": bound, "strict_max": True}


def _sets() -> Iterator[Case]:
    for kind in ("values_to_be_in_set", "values_to_not_be_in_set"):
        yield f"expect_column_{kind}", {"column": "text", "value_set": ["a1", "b2", "b2"], "mostly": 0.5}
        yield f"expect_column_{kind}", {"column": "whole", "value_set": [1, 2, 3]}
        yield f"expect_column_{kind}", {"column": "whole", "value_set": [1, 2.5, 3]}
        yield f"expect_column_{kind}", {"column": "double", "value_set": [0, 9.25]}
        yield f"expect_column_{kind}", {"column": "single", "value_set": [0.1, 0.5, 3]}
        yield f"expect_column_{kind}", {"column": "truth", "value_set": [True]}
    for kind in ("be_in_set", "equal_set", "contain_set"):
        yield f"expect_column_distinct_values_to_{kind}", {"column": "text", "value_set": ["a1", "b2"]}
        yield f"expect_column_distinct_values_to_{kind}", {"column": "small", "value_set": [1, 2, 3, 4]}
        yield f"expect_column_distinct_values_to_{kind}", {"column": "double", "value_set": [0, 0.5, 1]}


def _texts() -> Iterator[Case]:
    for regex in _REGEX:
        yield "expect_column_values_to_match_regex", {"column": "text", "regex": regex, "mostly": 0.5}
        yield "expect_column_values_to_not_match_regex", {"column": "other", "regex": regex}
    yield "expect_column_value_lengths_to_be_between", {"column": "text", "min_value": 1, "max_value": 2}
    yield "expect_column_value_lengths_to_be_between", {"column": "text", "min_value": 2, "strict_min": True}
    yield "expect_column_value_lengths_to_equal", {"column": "text", "value": 2, "mostly": 0.5}


def _several() -> Iterator[Case]:
    for ignored in ("all_values_are_missing", "any_value_is_missing"):
        for names in (["whole", "text"], ["moment", "double", "truth"], ["decimal", "day"]):
            yield "expect_compound_columns_to_be_unique", {"column_list": names, "ignore_row_if": ignored}
    yield "expect_compound_columns_to_be_unique", {"column_list": ["other", "small"], "mostly": 0.3}
    for ignored in ("both_values_are_missing", "either_value_is_missing"):
        for one, other in (("whole", "small"), ("double", "whole"), ("moment", "later"), ("text", "other")):
            pair = {"column_A": one, "column_B": other, "ignore_row_if": ignored}
            yield "expect_column_pair_values_to_be_equal", {**pair, "mostly": 0.5}
            if one != "text":
                yield "expect_column_pair_values_a_to_be_greater_than_b", pair
                yield "expect_column_pair_values_a_to_be_greater_than_b", {**pair, "or_equal": True}


def _conditional() -> Iterator[Case]:
    for condition in _CONDITIONS:
        yield "expect_column_values_to_not_be_null", {"column": "text", **condition}
        yield "expect_column_values_to_be_between", {"column": "whole", "max_value": 2, "mostly": 0.5, **condition}
        yield "expect_column_mean_to_be_between", {"column": "small", "max_value": 2.3, **condition}
        yield "expect_column_values_to_be_unique", {"column": "other", **condition}
        yield "expect_column_unique_value_count_to_be_between", {"column": "text", "max_value": 2, **condition}
        yield "expect_column_distinct_values_to_equal_set", {"column": "other", "value_set": ["a1"], **condition}
        yield "expect_column_values_to_be_increasing", {"column": "small", **condition}
        yield "expect_compound_columns_to_be_unique", {"column_list": ["small", "other"], **condition}
        yield "expect_table_row_count_to_be_between", {"min_value": 1, "max_value": 3, **condition}


def _shape() -> Iterator[Case]:
    yield "expect_table_row_count_to_be_between", {"min_value": 1, "max_value": 6, "strict_max": True}
    yield "expect_table_row_count_to_equal", {"value": 6}
    yield "expect_table_column_count_to_equal", {"value": len(SCHEMA)}
    yield "expect_table_column_count_to_be_between", {"min_value": len(SCHEMA), "max_value": 99}
    yield "expect_table_columns_to_match_ordered_list", {"column_list": list(_EVERY)}
    yield "expect_table_columns_to_match_ordered_list", {"column_list": [*_EVERY[1:], "absent"]}
    yield "expect_table_columns_to_match_set", {"column_set": list(reversed(_EVERY))}
    yield "expect_table_columns_to_match_set", {"column_set": ["whole"], "exact_match": False}
    yield "expect_table_columns_to_match_set", {"column_set": ["whole", "absent"], "exact_match": False}
    yield "expect_column_to_exist", {"column": "absent"}
    yield "expect_column_to_exist", {"column": "small", "column_index": 1}
    yield "expect_column_to_exist", {"column": "small", "column_index": 99}
