"""Where the hashes of a tree lie: pure arithmetic of RFC 6962 section 2.1, without one hash being read.

A range of leaves is covered by complete subtrees, largest first; each is a stored node ``(level, index)``. Every
hash of a proof is the root over one such range, so it costs at most log2(size) reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from audit.verify.merkle import fold_peaks, node_hash

Place: TypeAlias = tuple[int, int]
"""level and index of a stored node; level 0 are the leaves"""
Range: TypeAlias = tuple[int, int]
"""leaves from the first number up to, not including, the second"""


def cover(leaves: Range) -> list[Place]:
    """The complete subtrees of a range that begins where a subtree of its size may begin, leftmost first."""
    start, end = leaves
    places = []
    while start < end:
        level = (end - start).bit_length() - 1
        places.append((level, start >> level))
        start += 1 << level
    return places


def inclusion_path(index: int, size: int) -> list[Range]:
    """PATH(index, D[size]): the siblings on the way from the leaf to the root, lowest first."""
    start, end, path = 0, size, list[Range]()
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            path.append((split, end))
            end = split
        else:
            path.append((start, split))
            start = split
    return path[::-1]


def consistency_path(size1: int, size2: int) -> list[Range]:
    """PROOF(size1, D[size2]) for 0 < size1 <= size2: the ranges whose roots lead to both roots, lowest first."""
    start, end, path, whole = 0, size2, list[Range](), True
    while size1 != end:
        split = start + _split(end - start)
        if size1 <= split:
            path.append((split, end))
            end = split
        else:
            path.append((start, split))
            start, whole = split, False
    if not whole:  # otherwise it is the first tree itself, whose root the verifier has
        path.append((start, end))
    return path[::-1]


def _split(count: int) -> int:
    """The largest power of two smaller than ``count``."""
    return 1 << ((count - 1).bit_length() - 1)


@dataclass
class Frontier:
    """A growing tree, of which only the complete subtrees at its right edge are kept."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)
    """roots of ``cover((0, size))``"""

    def append(self, leaf: bytes) -> list[tuple[Place, bytes]]:
        """Add the leaf with this hash; gives each inner node that is complete now, lowest first."""
        index, level, root = self.size, 0, leaf
        made = []
        while index & 1:
            index, level, root = index >> 1, level + 1, node_hash(self.peaks.pop(), root)
            made.append(((level, index), root))
        self.peaks.append(root)
        self.size += 1
        return made

    @property
    def root(self) -> bytes:
        """The root of the tree as it stands."""
        return fold_peaks(self.peaks)
