from __future__ import annotations

from pathlib import Path

import pytest

from governance.validation.errors import SuiteError
from governance.validation.python_suite import read_python_suite
from governance.validation.suite import Severity, parse_suite

FILE = """
import great_expectations as gx
from great_expectations import expectations as gxe

LIMIT = 9
suite = gx.ExpectationSuite(
    name="labs",
    expectations=[
        gxe.ExpectColumnValuesToBeBetween(column="a", min_value=0, max_value=LIMIT, severity="warning"),
        gxe.ExpectColumnValuesToNotBeNull(column="a", mostly=0.9),
    ],
)
"""
TWO = FILE + "\nother = gx.ExpectationSuite(name='b')"


def test_a_suite_written_in_python_is_what_it_exports(tmp_path: Path) -> None:
    path = tmp_path / "labs.py"
    path.write_text(FILE, encoding="utf-8")
    suite = read_python_suite(path)
    assert suite.name == "labs"
    assert [one.severity for one in suite.expectations] == [Severity.WARNING, Severity.CRITICAL]
    assert suite.expectations[0].kwargs == {"column": "a", "min_value": 0, "max_value": 9}


@pytest.mark.parametrize(("content", "found"), [("x = 1", "0 suites"), (TWO, "2 suites")], ids=["none", "two"])
def test_a_file_makes_exactly_one_suite(tmp_path: Path, content: str, found: str) -> None:
    path = tmp_path / "labs.py"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SuiteError, match=found):
        read_python_suite(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"absent\.py: there is no such file"):
        read_python_suite(tmp_path / "absent.py")


def test_the_names_of_older_files_are_understood() -> None:
    item = {"expectation_type": "expect_column_values_to_be_unique", "kwargs": {"column": "a"}, "severity": "info"}
    suite = parse_suite({"expectation_suite_name": "old", "expectations": [item]}, origin="old")
    assert (suite.name, suite.expectations[0].type) == ("old", "expect_column_values_to_be_unique")
