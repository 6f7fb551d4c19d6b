"""How pyiceberg gets at the files of a snapshot: through the file system that holds them to their pinned state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pyiceberg.io import FileIO


def path_in(location: str) -> str:
    """A location as its storage takes it: an absolute path, or ``bucket/key``; a % stands for itself."""
    parts = urlsplit(location)
    return f"{parts.netloc}{parts.path}" if parts.scheme else location


def pinned_io(properties: Mapping[str, str], filesystem: Any) -> FileIO:
    """A ``FileIO`` that reads through ``filesystem`` (``pyarrow.fs``) alone, and changes nothing."""
    from pyiceberg.io import FileIO, InputFile, OutputFile
    from pyiceberg.io.pyarrow import PyArrowFile

    class PinnedIO(FileIO):
        def new_input(self, location: str) -> InputFile:
            return PyArrowFile(location, path_in(location), filesystem)

        def new_output(self, location: str) -> OutputFile:
            raise PermissionError("a source is only read")

        def delete(self, location: str | InputFile | OutputFile) -> None:
            raise PermissionError("a source is only read")

    return PinnedIO(dict(properties))
