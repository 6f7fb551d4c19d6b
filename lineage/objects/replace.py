"""The few files that do change, such as a head."""

from __future__ import annotations

from pathlib import Path

from lineage.objects.incomplete import locked_file, made_directory, sync


def replace_bytes(path: Path, data: bytes) -> None:
    """Let ``path`` hold ``data``, whole or not at all."""
    with locked_file(made_directory(path.parent)) as temporary:
        temporary.write_bytes(data)
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
