"""The tree by itself: RFC 6962, and a table's root from what a manifest keeps."""

from __future__ import annotations

import doctest
import hashlib
import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lineage.td1
from lineage.errors import SnapshotCorrupt
from lineage.td1 import digest_table, root_from_columns
from lineage.td1.tree import tree_hash
from tests.lineage.td1 import reference

PAGE = Path(__file__).parents[3] / "docs" / "formats" / "td1.md"


@given(st.integers(0, 70))
def test_the_tree_is_the_one_made_by_carrying(count: int) -> None:
    leaves = [hashlib.sha256(bytes([number])).digest() for number in range(count)]
    assert tree_hash(leaves) == reference.merkle(leaves)


def test_the_root_needs_no_data() -> None:
    found = digest_table(pa.table({"b": [1, 2], "a": ["x", None]}))
    roots = {column.name: column.root for column in found.columns}
    assert root_from_columns(found.descriptor, roots) == found.hex
    assert [column.name for column in found.columns] == ["a", "b"]


@pytest.mark.parametrize(
    ("descriptor", "roots"),
    [
        ('{"chunk":65536,"cols":[["a","i8"]],"rows":0,"v":1}', {}),
        ('{"chunk":65536,"cols":[],"rows":0,"v":1}', {"a": "0" * 64}),
        ('{"chunk":65536,"cols":[["a","i8"]],"rows":0,"v":1}', {"a": "A" * 64}),
        ('{"chunk":65536,"cols":[["a","i8"]],"rows":0,"v":1}', {"a": "0" * 62}),
        ("not JSON", {}),
        ("[]", {}),
    ],
)
def test_roots_that_do_not_fit_the_descriptor_are_refused(descriptor: str, roots: dict[str, str]) -> None:
    with pytest.raises(SnapshotCorrupt):
        root_from_columns(descriptor, roots)


def test_the_pages_worked_example_is_right() -> None:
    page = PAGE.read_text("utf-8")
    found = digest_table(pa.table({"id": pa.array([7, 8], pa.int64()), "site": pa.array(["DE", None])}))
    encodings = [
        reference.encode("i64", [7, 8]).hex(),
        reference.encode("utf8", [b"DE", None]).hex(),
    ]
    for expected in [*encodings, *(column.root for column in found.columns), found.descriptor, found.digest]:
        assert expected in re.sub(r"(?<=[0-9a-f]) (?=[0-9a-f])", "", page), expected


def test_the_packages_own_example_is_right() -> None:
    assert doctest.testmod(lineage.td1).attempted >= 3
    assert doctest.testmod(lineage.td1).failed == 0
