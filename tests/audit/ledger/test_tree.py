"""The arithmetic of the tree, against the recursive definitions of RFC 6962, and what no changed proof may achieve."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.ledger.tree import Frontier, Range, consistency_path, cover, inclusion_path
from audit.verify.errors import ProofFailed
from audit.verify.merkle import leaf_hash, root_hash, verify_consistency, verify_inclusion

LEAVES = [leaf_hash(b"%d" % number) for number in range(130)]
sizes = st.integers(1, len(LEAVES))


def roots(ranges: list[Range]) -> list[bytes]:
    return [root_hash(LEAVES[start:end]) for start, end in ranges]


@given(sizes)
def test_a_frontier_has_the_root_of_its_leaves_and_completes_every_subtree_once(size: int) -> None:
    frontier, made = Frontier(), {}
    for leaf in LEAVES[:size]:
        for place, root in frontier.append(leaf):
            assert place not in made
            made[place] = root
    assert frontier.root == root_hash(LEAVES[:size])
    assert set(made) == {(level, idx) for level in range(1, 9) for idx in range(size >> level)}
    for (level, idx), root in made.items():
        assert root == root_hash(LEAVES[idx << level : (idx + 1) << level])


@given(sizes, st.data())
def test_a_cover_joins_without_gap(size: int, data: st.DataObject) -> None:
    for path in (inclusion_path(data.draw(st.integers(0, size - 1)), size), [(0, size)]):
        for start, end in path:
            reached = start
            for level, idx in cover((start, end)):
                assert idx << level == reached
                reached += 1 << level
            assert reached == end


@given(sizes, st.data())
def test_every_inclusion_path_proves(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof, root = roots(inclusion_path(index, size)), root_hash(LEAVES[:size])
    verify_inclusion(index=index, size=size, leaf=LEAVES[index], proof=proof, root=root)


@given(sizes, st.data())
def test_every_consistency_path_proves_and_no_changed_one_does(size2: int, data: st.DataObject) -> None:
    size1 = data.draw(st.integers(1, size2))
    root1, root2 = root_hash(LEAVES[:size1]), root_hash(LEAVES[:size2])
    proof = roots(consistency_path(size1, size2))
    verify_consistency(size1=size1, size2=size2, root1=root1, root2=root2, proof=proof)
    other = data.draw(st.binary(min_size=32, max_size=32))
    changed = [(root1, root2, [*proof, other]), (other, root2, proof), (root1, other, proof)]
    for number in range(len(proof)):
        changed.append((root1, root2, proof[:number] + proof[number + 1 :]))
        changed.append((root1, root2, [*proof[:number], other, *proof[number + 1 :]]))
    for older, newer, path in changed:
        with pytest.raises(ProofFailed):
            verify_consistency(size1=size1, size2=size2, root1=older, root2=newer, proof=path)
