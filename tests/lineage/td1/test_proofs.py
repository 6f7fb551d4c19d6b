"""One column or one chunk is proven without the rest, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.verify.merkle import verify_inclusion
from lineage.errors import SnapshotCorrupt
from lineage.td1 import CHUNK_ROWS, TableDigest, chunk_leaves, combine, digest_table
from lineage.td1.proofs import ChunkProof, ColumnProof, prove_chunk, prove_column, verify_chunk, verify_column


def table_of(columns: int, chunks: int) -> TableDigest:
    """A digest with made-up leaves."""
    names = [f"c{number}" for number in range(columns)]
    leaves = [{name: sha256(f"{name} {chunk}".encode()).hexdigest() for name in names} for chunk in range(chunks)]
    schema = pa.schema([(name, pa.int8()) for name in names])
    return combine(schema, leaves, rows=max(0, chunks * CHUNK_ROWS - 7))


def column_proof(table: TableDigest, name: str) -> ColumnProof:
    return prove_column(table.descriptor, {column.name: column.root for column in table.columns}, name)


def chunk_proof(table: TableDigest, number: int, chunk: int) -> ChunkProof:
    column = table.columns[number]
    return prove_chunk(column_proof(table, column.name), column.leaves, chunk)


@given(st.integers(1, 20), st.integers(0, 40), st.data())
@settings(max_examples=80, deadline=None)
def test_every_column_and_every_chunk_can_be_proven(columns: int, chunks: int, data: st.DataObject) -> None:
    table = table_of(columns, chunks)
    number = data.draw(st.integers(0, columns - 1))
    verify_column(table.digest, column_proof(table, table.columns[number].name))
    if chunks:
        chunk = data.draw(st.integers(0, chunks - 1))
        first, last = verify_chunk(table.digest, chunk_proof(table, number, chunk))
        assert (first, last) == (chunk * CHUNK_ROWS, min((chunk + 1) * CHUNK_ROWS, table.rows) - 1)


@given(st.integers(1, 40), st.data())
@settings(max_examples=80, deadline=None)
def test_paths_are_those_that_another_verifier_of_rfc_6962_accepts(chunks: int, data: st.DataObject) -> None:
    table = table_of(1, chunks)
    chunk = data.draw(st.integers(0, chunks - 1))
    proof = chunk_proof(table, 0, chunk)
    path = [bytes.fromhex(one) for one in proof.path]
    root = bytes.fromhex(table.columns[0].root)
    verify_inclusion(index=chunk, size=chunks, leaf=bytes.fromhex(proof.leaf), proof=path, root=root)


TABLE = table_of(5, 6)
GOOD = chunk_proof(TABLE, 2, 3)
OTHER = "ab" * 32


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(replace(GOOD, chunk=2), id="another chunk"),
        pytest.param(replace(GOOD, chunk=7), id="a chunk beyond the end"),
        pytest.param(replace(GOOD, chunk=-1), id="a chunk before the beginning"),
        pytest.param(replace(GOOD, leaf=OTHER), id="another leaf"),
        pytest.param(replace(GOOD, leaf="x"), id="no leaf"),
        pytest.param(replace(GOOD, path=GOOD.path[:-1]), id="a path too short"),
        pytest.param(replace(GOOD, path=(*GOOD.path, OTHER)), id="a path too long"),
        pytest.param(replace(GOOD, path=GOOD.path[::-1]), id="a path in another order"),
        pytest.param(replace(GOOD, column=replace(GOOD.column, name="c1")), id="another column"),
        pytest.param(replace(GOOD, column=replace(GOOD.column, name="c9")), id="a column that is not there"),
        pytest.param(replace(GOOD, column=replace(GOOD.column, root=OTHER)), id="another root"),
        pytest.param(replace(GOOD, column=replace(GOOD.column, path=())), id="no path of the column"),
        pytest.param(replace(GOOD, column=replace(GOOD.column, descriptor_path=())), id="no path of the descriptor"),
        pytest.param(replace(GOOD, column=replace(GOOD.column, descriptor="{}")), id="no descriptor"),
    ],
)
def test_whatever_is_changed_in_a_proof_is_seen(bad: ChunkProof) -> None:
    verify_chunk(TABLE.digest, GOOD)
    with pytest.raises(SnapshotCorrupt):
        verify_chunk(TABLE.digest, bad)


@pytest.mark.parametrize("member", ["rows", "chunk", "v"])
def test_a_descriptor_that_says_something_else_is_seen(member: str) -> None:
    said = json.loads(GOOD.column.descriptor)
    said[member] += 1
    text = json.dumps(said, separators=(",", ":"), sort_keys=True)
    with pytest.raises(SnapshotCorrupt):
        verify_chunk(TABLE.digest, replace(GOOD, column=replace(GOOD.column, descriptor=text)))


@pytest.mark.parametrize("digest", [table_of(5, 5).digest, TABLE.hex, "random:" + TABLE.hex])
def test_a_proof_is_of_one_table(digest: str) -> None:
    with pytest.raises(SnapshotCorrupt):
        verify_column(digest, GOOD.column)


def test_what_is_not_there_cannot_be_proven() -> None:
    with pytest.raises(KeyError):
        column_proof(TABLE, "c9")
    with pytest.raises(IndexError, match="has 6 chunks"):
        chunk_proof(TABLE, 0, 6)


def test_the_rows_of_a_proven_chunk_are_recomputed_from_one_column_alone() -> None:
    rows = CHUNK_ROWS + 5
    table = pa.table({"n": np.arange(rows), "secret": pa.array([str(number) for number in range(rows)])})
    digest = digest_table(table)
    proof = chunk_proof(digest, 0, 1)
    first, last = verify_chunk(digest.digest, proof)
    given_rows = table.select(["n"]).slice(first, last - first + 1)
    assert chunk_leaves(given_rows.schema, given_rows, first_row=first) == {"n": proof.leaf}
