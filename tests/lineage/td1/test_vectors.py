"""Every published vector of td1: encodings, leaves, column roots, descriptor, root and errors."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from lineage.errors import NotDigestible
from lineage.td1 import digest_table, root_from_columns
from lineage.td1.encode import encoded
from lineage.td1.types import logical_type
from tests.lineage.td1.vectors import FOLDER, batch_of, vectors

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the td1 vectors are not beside this checkout")

DIGESTS = [pytest.param(vector, id=name) for name, vector in vectors().items() if "error" not in vector]
ERRORS = [pytest.param(vector, id=name) for name, vector in vectors().items() if "error" in vector]


def test_the_vectors_are_all_there() -> None:
    assert len(DIGESTS) + len(ERRORS) == len(list(FOLDER.glob("*.json"))) >= 41


@pytest.mark.parametrize("vector", DIGESTS)
def test_each_column_has_the_vectors_type_and_encoding(vector: Any) -> None:
    batch = batch_of(vector)
    for column, array in zip(vector["columns"], batch.columns, strict=True):
        kind = logical_type(array.type)
        assert kind.json == column["type"]
        if column["name"] in vector.get("encodings", {}):
            assert b"".join(encoded(kind, [array])).hex() == vector["encodings"][column["name"]], column["name"]


@pytest.mark.parametrize("vector", DIGESTS)
def test_leaves_column_roots_descriptor_and_root_are_the_vectors(vector: Any) -> None:
    found = digest_table(pa.Table.from_batches([batch_of(vector)]))
    assert found.rows == vector["rows"]
    assert {column.name: column.root for column in found.columns} == vector["column_roots"]
    assert found.descriptor == vector["descriptor"]
    assert found.digest == vector["root"]
    for name, leaves in vector.get("leaves", {}).items():
        assert next(list(column.leaves) for column in found.columns if column.name == name) == leaves
    assert f"td1-sha256:{root_from_columns(vector['descriptor'], vector['column_roots'])}" == vector["root"]


@pytest.mark.parametrize("vector", ERRORS)
def test_each_error_names_kind_column_and_first_row(vector: Any) -> None:
    with pytest.raises(NotDigestible) as raised:
        digest_table(pa.Table.from_batches([batch_of(vector)]))
    found = {"kind": raised.value.kind, "column": raised.value.column, "row": raised.value.row}
    assert found == vector["error"]
