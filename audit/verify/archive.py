"""The bundle's container: a ustar file (POSIX.1-1988) of which every byte is fixed by its members.

Names sorted, mode 0644, uid, gid and mtime 0, no user names, exactly two zero blocks at the end. The
reader parses loosely and then asks the writer for the same members again: any byte that the writer would
not have written (header field, padding, end block, order) is found by that one comparison.

Law: ``read_archive(write_archive(members)) == members``, and ``write_archive(read_archive(data)) == data``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from audit.verify.errors import Malformed

BLOCK = 512
MAX_ARCHIVE = 512 * 1024 * 1024
"""bytes; a larger file is refused before it is read"""
MAX_MEMBER = 128 * 1024 * 1024
MAX_MEMBERS = 20_000
_END = bytes(2 * BLOCK)
_COMPONENT = re.compile(r"(?!\.{1,2}(/|$))[A-Za-z0-9._-]+")


def write_archive(members: Mapping[str, bytes]) -> bytes:
    """The archive of ``members``. Raises Malformed for a name that the format cannot say."""
    parts: list[bytes] = []
    for name in sorted(members):
        content = members[name]
        parts += (_header(name, len(content)), content, bytes(-len(content) % BLOCK))
    return b"".join((*parts, _END))


def read_archive(data: bytes) -> dict[str, bytes]:
    """Name to content of every member. Raises Malformed, naming what is wrong and where."""
    members: dict[str, bytes] = {}
    offset = 0
    while (header := data[offset : offset + BLOCK]) != bytes(BLOCK):
        name, size = _parse(header, offset)
        start = offset + BLOCK
        offset = start + size + (-size % BLOCK)
        if offset > len(data) - len(_END):
            raise Malformed(f"member {name!r} says {size} bytes, which runs past the end of the file")
        if name in members or len(members) >= MAX_MEMBERS:
            raise Malformed(f"member {name!r} occurs twice, or there are more than {MAX_MEMBERS} members")
        members[name] = data[start : start + size]
    _same_bytes(data, write_archive(members))
    return members


def _same_bytes(found: bytes, expected: bytes) -> None:
    if found == expected:
        return
    where = next(
        (i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), min(len(found), len(expected))
    )
    raise Malformed(
        f"byte {where} of the file is not what its members give (file {len(found)} bytes, rebuilt {len(expected)}):"
        " a header field, padding, the order or the end of the archive was changed"
    )


def _parse(header: bytes, offset: int) -> tuple[str, int]:
    if len(header) < BLOCK:
        raise Malformed(f"the file ends inside a header at byte {offset}; expected two zero blocks at the end")
    field = header[124:135]
    if not re.fullmatch(rb"[0-7]{11}", field) or int(field, 8) > MAX_MEMBER:
        raise Malformed(f"the header at byte {offset} has no size of at most {MAX_MEMBER} bytes")
    prefix, name = header[345:500].rstrip(b"\0"), header[:100].rstrip(b"\0")
    path = (prefix + b"/" + name if prefix else name).decode("ascii", "replace")
    _split(path)
    return path, int(field, 8)


def _split(path: str) -> tuple[str, str]:
    """(prefix, name) of a path; the split is at the first slash that leaves at most 100 bytes of name."""
    if not all(_COMPONENT.fullmatch(part) for part in path.split("/")):
        raise Malformed(f"member name {path!r}: expected relative components of letters, digits, '.', '_' and '-'")
    slashes = [-1, *(i for i, character in enumerate(path) if character == "/")]
    for slash in slashes:
        if len(path) - slash - 1 <= 100 and slash <= 155:
            return path[: max(slash, 0)], path[slash + 1 :]
    raise Malformed(f"member name {path!r} does not fit into a ustar header")


def _header(path: str, size: int) -> bytes:
    prefix, name = _split(path)
    if size > MAX_MEMBER:
        raise Malformed(f"member {path!r} has {size} bytes; at most {MAX_MEMBER} fit")
    fields = (
        name.encode().ljust(100, b"\0"),
        b"0000644\0" + b"0000000\0" * 2,  # mode, uid, gid
        b"%011o\0" % size + b"%011o\0" % 0,  # size, mtime
        b"        0",  # checksum as blanks while it is computed; type: regular file
        bytes(100) + b"ustar\x0000" + bytes(64),  # link name; magic, version; user and group names
        b"0000000\0" * 2,  # device numbers
        prefix.encode().ljust(155, b"\0") + bytes(12),
    )
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
