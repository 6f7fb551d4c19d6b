"""RFC 6962 proofs: every public vector with its verdict, and what no mutation of a proof may achieve."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.verify.errors import ProofFailed
from audit.verify.merkle import (
    EMPTY_ROOT,
    leaf_hash,
    node_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)

VECTORS = Path(__file__).parents[4] / "shared" / "vectors" / "merkle"
needs_vectors = pytest.mark.skipif(not VECTORS.exists(), reason="../shared/vectors/merkle is not beside the repository")


def vectors(kind: str) -> list[Any]:
    return [
        pytest.param(json.loads(path.read_text()), id=str(path.relative_to(VECTORS)))
        for path in sorted((VECTORS / kind).rglob("*.json"))
    ]


def decoded(value: str) -> bytes:
    return base64.b64decode(value, validate=True)


@needs_vectors
@pytest.mark.parametrize("vector", vectors("inclusion"))
def test_inclusion_vectors_have_the_stated_verdict(vector: dict[str, Any]) -> None:
    def verify() -> None:
        verify_inclusion(
            index=vector["leafIdx"],
            size=vector["treeSize"],
            leaf=decoded(vector["leafHash"]),
            proof=[decoded(each) for each in vector["proof"] or ()],
            root=decoded(vector["root"]),
        )

    expect(verify, fails=vector["wantErr"])


@needs_vectors
@pytest.mark.parametrize("vector", vectors("consistency"))
def test_consistency_vectors_have_the_stated_verdict(vector: dict[str, Any]) -> None:
    def verify() -> None:
        verify_consistency(
            size1=vector["size1"],
            size2=vector["size2"],
            root1=decoded(vector["root1"]),
            root2=decoded(vector["root2"]),
            proof=[decoded(each) for each in vector["proof"] or ()],
        )

    expect(verify, fails=vector["wantErr"])


def expect(verify: Any, *, fails: bool) -> None:
    if not fails:
        verify()
        return
    with pytest.raises(ProofFailed):
        verify()


@needs_vectors
def test_there_are_vectors_of_both_verdicts() -> None:
    for kind in ("inclusion", "consistency"):
        assert {vector.values[0]["wantErr"] for vector in vectors(kind)} == {False, True}


def slow_root(hashes: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if len(hashes) < 2:
        return hashes[0] if hashes else EMPTY_ROOT
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node_hash(slow_root(hashes[:split]), slow_root(hashes[split:]))


def slow_path(index: int, hashes: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1, word for word."""
    if len(hashes) < 2:
        return []
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    if index < split:
        return [*slow_path(index, hashes[:split]), slow_root(hashes[split:])]
    return [*slow_path(index - split, hashes[split:]), slow_root(hashes[:split])]


def leaves(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(size)]


@pytest.mark.parametrize("size", range(40))
def test_the_root_is_that_of_the_recursive_definition(size: int) -> None:
    assert root_hash(leaves(size)) == slow_root(leaves(size))


@given(st.integers(1, 70), st.data())
def test_every_leaf_of_every_tree_proves_and_no_changed_proof_does(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    root, proof = slow_root(hashes), slow_path(index, hashes)
    verify_inclusion(index=index, size=size, leaf=hashes[index], proof=proof, root=root)
    mutations = [
        (other, size, hashes[index], proof, root)
        for other in {index - 1, index + 1, data.draw(st.integers(0, 80)), -1} - {index}
    ]
    mutations += [
        (index, size, flip(hashes[index], data), proof, root),
        (index, size, hashes[index], proof, flip(root, data)),
    ]
    mutations.append((index, size, hashes[index], [*proof, data.draw(st.binary(min_size=32, max_size=32))], root))
    if proof:
        which = data.draw(st.integers(0, len(proof) - 1))
        mutations.append((index, size, hashes[index], [*proof[:which], *proof[which + 1 :]], root))
        mutations.append(
            (index, size, hashes[index], [*proof[:which], flip(proof[which], data), *proof[which + 1 :]], root)
        )
        mutations.append((index, size, hashes[index], [*proof[:which], proof[which][:-1], *proof[which + 1 :]], root))
    for number, tree, leaf, path, top in mutations:
        with pytest.raises(ProofFailed):
            verify_inclusion(index=number, size=tree, leaf=leaf, proof=path, root=top)


def flip(value: bytes, data: st.DataObject) -> bytes:
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    return (int.from_bytes(value, "big") ^ (1 << bit)).to_bytes(len(value), "big")


def test_nothing_is_proved_from_the_empty_tree() -> None:
    with pytest.raises(ProofFailed, match="from size 0"):
        verify_consistency(size1=0, size2=9, root1=EMPTY_ROOT, root2=root_hash(leaves(9)), proof=[])
