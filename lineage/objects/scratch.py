"""A local file without a name: it is gone with the process, however that ends."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineage.errors import ObjectsUnreachable
from lineage.objects.interface import Write


@contextmanager
def scratch_file(write: Write) -> Iterator[Path]:
    """What ``write`` wrote, as long as the block lasts. Raises ObjectsUnreachable where the disk takes no more."""
    with tempfile.TemporaryFile() as file:
        path = Path(f"/proc/self/fd/{file.fileno()}")  # the only way to a file that is in no directory
        try:
            write(path)
        except OSError as error:
            what = os.strerror(error.errno) if error.errno else type(error).__name__
            raise ObjectsUnreachable(
                f"What is to be uploaded cannot be written to {tempfile.gettempdir()} first: {what}. Nothing was"
                " stored. Let TMPDIR name a directory with room, and run again."
            ) from None
        yield path
