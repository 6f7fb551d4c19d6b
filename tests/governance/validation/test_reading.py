from __future__ import annotations

import pyarrow as pa

from governance.validation.reading import Feature, Output, Reading, readings
from governance.validation.suite import Suite, parse_suite

A_X, A_Y, B_X = ("a", "x"), ("a", "y"), ("b", "x")


def _suite(*columns: str) -> Suite:
    listed = [
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": name}, "severity": "info"}
        for name in columns
    ]
    return parse_suite({"name": "a", "expectations": listed}, origin="test")


def _names(features: set[Feature], outputs: list[Output], columns: list[str], *spoken: str) -> list[dict[str, str]]:
    """What each column is called, for each reading."""
    found = readings(_suite(*(spoken or ("x",))), features, outputs, columns)
    return [dict(one.pairs) for one in found]


def test_a_feature_keeps_its_name_beside_one_of_another_view() -> None:
    outputs = [(*A_X, "a__x"), (*B_X, "b__x")]
    assert _names({A_X}, outputs, ["id", "a__x", "b__x"]) == [{"id": "id", "a__x": "x", "b__x": "b__x"}]
    assert _names({B_X}, outputs, ["id", "a__x", "b__x"]) == [{"id": "id", "a__x": "a__x", "b__x": "x"}]


def test_a_name_that_two_views_of_a_service_share_stands_for_neither() -> None:
    columns = ["a__x", "b__x"]
    outputs = [(*A_X, "a__x"), (*B_X, "b__x")]
    assert _names({A_X, B_X}, outputs, columns, "a__x") == [{"a__x": "a__x", "b__x": "b__x"}]


def test_a_column_of_the_entity_rows_gives_way_to_a_feature_of_its_name() -> None:
    assert _names({A_X}, [(*A_X, "a__x")], ["x", "a__x"]) == [{"a__x": "x"}]


def test_each_alias_is_read_on_its_own() -> None:
    outputs = [(*A_X, "m__x"), (*A_X, "c__x")]
    assert _names({A_X}, outputs, ["m__x", "c__x"]) == [{"m__x": "x", "c__x": "c__x"}, {"m__x": "m__x", "c__x": "x"}]


def test_an_alias_of_a_part_is_no_reading_of_the_whole() -> None:
    outputs = [(*A_X, "m__x"), (*A_Y, "m__y"), (*A_X, "c__x")]
    assert _names({A_X, A_Y}, outputs, ["m__x", "m__y", "c__x"]) == [{"m__x": "x", "m__y": "y", "c__x": "c__x"}]


def test_parts_under_aliases_that_make_a_whole_are_read_together() -> None:
    outputs = [(*A_X, "m__x"), (*A_Y, "c__y")]
    assert _names({A_X, A_Y}, outputs, ["m__x", "c__y"]) == [{"m__x": "x", "c__y": "y"}]


def test_a_suite_may_say_full_names() -> None:
    outputs = [(*A_X, "m__x"), (*A_X, "c__x")]
    (one,) = readings(_suite("m__x", "c__x"), {A_X, B_X}, outputs, ["m__x", "c__x"])
    assert one.pairs == (("m__x", "m__x"), ("c__x", "c__x"))
    first, _ = readings(_suite("x", "m__x"), {A_X}, outputs, ["m__x", "c__x"])
    assert first.pairs == (("m__x", "x"), ("m__x", "m__x"), ("c__x", "c__x"))


def test_rows_and_batches_get_the_same_names() -> None:
    table = pa.table({"x": [1], "a__x": [2.5]})
    reading = Reading((("a__x", "x"),))
    expected = pa.table({"x": [2.5]})
    streamed = reading.rows(table.to_reader)
    assert reading.rows(table) == expected
    assert callable(streamed)
    assert streamed().read_all() == streamed().read_all() == expected
    same = Reading((("x", "x"), ("a__x", "a__x")))
    assert same.rows(table) is table
