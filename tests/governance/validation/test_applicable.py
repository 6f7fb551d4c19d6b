from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from governance.errors import ConfigurationError
from governance.validation.applicable import applicable_suites
from tests.governance.pictures import clinic

ALL = {("labs", "bilirubin"), ("labs", "albumin"), ("labs", "name")}


def _write(path: Path, *, rows: int) -> None:
    expectation = {"type": "expect_table_row_count_to_equal", "kwargs": {"value": rows}, "severity": "info"}
    path.write_text(json.dumps({"name": path.stem, "expectations": [expectation]}), encoding="utf-8")


def test_a_suite_applies_where_all_its_features_are_asked_for(tmp_path: Path) -> None:
    _write(tmp_path / "labs.json", rows=1)
    assert [one.suite.name for one in applicable_suites(clinic(), ALL, tmp_path)] == ["labs"]
    assert applicable_suites(clinic(), {("labs", "albumin")}, tmp_path) == ()


def test_a_suite_applies_to_every_version_of_its_view(tmp_path: Path) -> None:
    _write(tmp_path / "labs.json", rows=1)
    _write(tmp_path / "albi.json", rows=1)
    pinned = {("labs@v0", "bilirubin"), ("labs@v12", "albumin"), ("labs", "name"), ("albi@v1", "albi")}
    found = applicable_suites(clinic(), pinned, tmp_path)
    assert [one.suite.name for one in found] == ["albi", "labs"]
    assert found[1].features == ALL


def test_a_suite_may_be_written_in_python(tmp_path: Path) -> None:
    text = "import great_expectations as gx\nrows = gx.expectations.ExpectTableRowCountToEqual(value=1)\n"
    (tmp_path / "labs.py").write_text(f"{text}suite = gx.ExpectationSuite(name='by hand', expectations=[rows])\n")
    (tmp_path / "__init__.py").write_text("")
    assert [one.suite.name for one in applicable_suites(clinic(), ALL, tmp_path)] == ["by hand"]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "labs.json"
    _write(path, rows=1)
    (before,) = applicable_suites(clinic(), ALL, tmp_path)
    times = path.stat()
    _write(path, rows=2)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    (after,) = applicable_suites(clinic(), ALL, tmp_path)
    assert [one.suite.expectations[0].kwargs["value"] for one in (before, after)] == [1, 2]


def test_a_suite_of_nothing_is_named(tmp_path: Path) -> None:
    _write(tmp_path / "livers.json", rows=1)
    with pytest.raises(ConfigurationError, match="belong to nothing"):
        applicable_suites(clinic(), ALL, tmp_path)
