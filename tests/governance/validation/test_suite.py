from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from governance.validation.errors import SuiteError
from governance.validation.suite import Severity, parse_suite, read_suite

GOOD: dict[str, Any] = {
    "name": "labs",
    "expectations": [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "a", "min_value": 0, "max_value": 9},
            "severity": "critical",
        },
        {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}, "severity": "warning"},
        {
            "type": "expect_compound_columns_to_be_unique",
            "kwargs": {"column_list": ["a", "b"]},
            "meta": {"why": "a key"},
            "severity": "info",
        },
    ],
}


def test_a_suite_keeps_order_arguments_and_severities(tmp_path: Path) -> None:
    path = tmp_path / "labs.json"
    path.write_text(json.dumps(GOOD), encoding="utf-8")
    suite = read_suite(path)
    assert suite.name == "labs"
    assert [expectation.severity for expectation in suite.expectations] == [
        Severity.CRITICAL,
        Severity.WARNING,
        Severity.INFO,
    ]
    assert [expectation.column for expectation in suite.expectations] == ["a", None, "a,b"]
    assert suite.expectations[0].kwargs == {"column": "a", "min_value": 0, "max_value": 9}
    assert hash(suite) == hash(parse_suite(GOOD, origin="again"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": None}, "no suite name"),
        ({"expectations": []}, "an empty suite would approve everything"),
        ({"expectations": [{"kwargs": {}}]}, "expectation 1 has no type"),
        ({"expectations": ["a"]}, "expectation 1 has no type"),
        ({"expectations": [{"type": "t"}]}, "severity is None; expected one of critical, warning, info"),
        ({"expectations": [{"type": "t", "severity": ["critical"]}]}, "severity is"),
        ({"expectations": [{"type": "t", "kwargs": [], "severity": "info"}]}, "kwargs is no object"),
        (
            {"expectations": [{"type": "t", "kwargs": {"column_list": [1]}, "severity": "info"}]},
            "no list of column names",
        ),
        (
            {"expectations": [{"type": "t", "kwargs": {"column_list": 3}, "severity": "info"}]},
            "no list of column names",
        ),
    ],
)
def test_a_malformed_suite_is_named_with_its_file(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    path = tmp_path / "labs.json"
    path.write_text(json.dumps(GOOD | change), encoding="utf-8")
    with pytest.raises(SuiteError) as caught:
        read_suite(path)
    assert str(path) in str(caught.value)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\x00", b"[1, 2]", b'{"name": "x"}'])
def test_a_file_that_is_no_suite_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labs.json"
    path.write_bytes(content)
    with pytest.raises(SuiteError, match=str(path)):
        read_suite(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"absent\.json: cannot be read \(No such file or directory\)"):
        read_suite(tmp_path / "absent.json")
