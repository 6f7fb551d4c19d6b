"""The Merkle tree of RFC 6962: hashes, root, and the verification of its two proofs.

Sources: RFC 6962 section 2.1 (the tree) and RFC 9162 sections 2.1.3.2 and 2.1.4.2 (the verification algorithms,
which RFC 6962 leaves to the reader). Pure functions of bytes and integers.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from audit.verify.errors import ProofFailed

HASH_SIZE = 32
"""bytes of a SHA-256"""
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""root of the tree without leaves"""


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 || leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_hash(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root of the tree over ``leaf_hashes``, in their order."""
    peaks: list[bytes] = []  # roots of the complete subtrees, largest first: the binary digits of the size
    for count, leaf in enumerate(leaf_hashes):
        peak = leaf
        while count & 1:
            peak = node_hash(peaks.pop(), peak)
            count >>= 1  # noqa: PLW2901 - what is left of the carry
        peaks.append(peak)
    return fold_peaks(peaks)


def fold_peaks(peaks: Sequence[bytes]) -> bytes:
    """The root above complete subtrees whose roots are ``peaks``, largest (leftmost) first."""
    if not peaks:
        return EMPTY_ROOT
    *others, root = peaks
    for peak in reversed(others):
        root = node_hash(peak, root)
    return root


def verify_inclusion(*, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf with hash ``leaf`` is number ``index`` of the ``size`` under ``root``. Raises ProofFailed."""
    if not 0 <= index < size:
        raise ProofFailed(f"leaf {index} cannot be in a tree of size {size}; expected 0 <= index < size")
    _check_lengths(leaf, root, *proof)
    node, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofFailed(
                f"the inclusion proof of leaf {index} in size {size} has {len(proof)} hashes, more than needed"
            )
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            node, last = _skip_missing_siblings(node, last)
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofFailed(
            f"the inclusion proof of leaf {index} in size {size} has {len(proof)} hashes, fewer than needed"
        )
    _expect_root(found, root, f"the inclusion proof of leaf {index} in size {size}")


def verify_consistency(*, size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree under ``root2`` begins with the leaves of the one under ``root1``. Raises ProofFailed.

    Every tree follows the empty one, so there is nothing to prove from size 0: to ask is an error.
    """
    if not 1 <= size1 <= size2:
        raise ProofFailed(f"no consistency proof leads from size {size1} to {size2}; expected 1 <= size1 <= size2")
    if size1 == size2:
        _verify_same_size(size1, root1, root2, proof)
        return
    _check_lengths(root1, root2, *proof)
    what = f"the consistency proof from size {size1} to {size2}"
    path = list(proof)
    if size1 & (size1 - 1) == 0:  # the first tree is one complete subtree, whose root the proof leaves out
        path.insert(0, root1)
    if not path:
        raise ProofFailed(f"{what} is empty")
    node, last = size1 - 1, size2 - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    found1 = found2 = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofFailed(f"{what} has {len(proof)} hashes, more than needed")
        if node & 1 or node == last:
            found1, found2 = node_hash(sibling, found1), node_hash(sibling, found2)
            node, last = _skip_missing_siblings(node, last)
        else:
            found2 = node_hash(found2, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ProofFailed(f"{what} has {len(proof)} hashes, fewer than needed")
    _expect_root(found1, root1, f"{what} (older root)")
    _expect_root(found2, root2, f"{what} (newer root)")


def _verify_same_size(size: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    if proof:
        raise ProofFailed(f"the consistency proof from size {size} to itself must be empty; it has {len(proof)} hashes")
    _expect_root(root1, root2, f"a second tree of size {size}")


def _skip_missing_siblings(node: int, last: int) -> tuple[int, int]:
    """Climb to where ``node``, joined from the left, is itself a right child; at the border levels lack a sibling."""
    while node and not node & 1:
        node, last = node >> 1, last >> 1
    return node, last


def _check_lengths(*hashes: bytes) -> None:
    for value in hashes:
        if len(value) != HASH_SIZE:
            raise ProofFailed(f"a hash of {len(value)} bytes; SHA-256 has {HASH_SIZE}")


def _expect_root(found: bytes, expected: bytes, what: str) -> None:
    if not hmac.compare_digest(found, expected):
        raise ProofFailed(f"{what} leads to root {found.hex()}, expected {expected.hex()}")
