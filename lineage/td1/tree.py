"""The hash tree over chunks and columns: RFC 6962, section 2.1, over leaves that are hashes already.

Only the standard library is needed here, so that a table's root can be recomputed from a manifest
where neither pyarrow nor the data is at hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from lineage.errors import SnapshotCorrupt

CHUNK_ROWS: Final = 65_536
"""Rows of the global order under one leaf of each column."""


def leaf_hash(parts: Iterable[bytes]) -> bytes:
    """SHA-256 of a zero byte and the concatenated ``parts`` (anything with contiguous memory)."""
    state = hashlib.sha256(b"\x00")
    for part in parts:
        state.update(part)
    return state.digest()


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """The RFC 6962 root over ``leaves`` taken as leaf hashes; of none, the hash of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    left = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:left]) + tree_hash(leaves[left:])).digest()


def root_from_columns(descriptor: str, column_roots: Mapping[str, str]) -> str:
    """The table root, in lower-case hex, from the descriptor's text and each column's root in hex.

    Raises:
        SnapshotCorrupt: the roots are not those of exactly the descriptor's columns.
    """
    _require_same_columns(descriptor, column_roots)
    names = sorted(column_roots, key=lambda name: name.encode())
    columns = [
        leaf_hash((name.encode(), b"\x00", hash_of(column_roots[name], f"root of column {name!r}"))) for name in names
    ]
    return tree_hash([leaf_hash((descriptor.encode(),)), *columns]).hex()


def _require_same_columns(descriptor: str, column_roots: Mapping[str, str]) -> None:
    try:
        expected = {name for name, _ in json.loads(descriptor)["cols"]}
    except (ValueError, KeyError, TypeError) as error:
        raise SnapshotCorrupt(f"found a td1 descriptor that is not one ({error}): {descriptor[:80]!r}") from error
    if different := sorted(expected ^ set(column_roots)):
        raise SnapshotCorrupt(
            f"descriptor and column roots differ in {different}; expected one root for each column: "
            "read the manifest from another copy"
        )


def hash_of(text: str, what: str) -> bytes:
    """The hash that ``text`` writes in lower-case hex. Raises ``SnapshotCorrupt`` where it is not one."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != hashlib.sha256().digest_size or found.hex() != text:
        raise SnapshotCorrupt(f"{what} is {text!r}; expected 64 lower-case hex digits")
    return found
