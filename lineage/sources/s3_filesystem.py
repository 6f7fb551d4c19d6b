"""An Arrow file system of nothing but pinned objects."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Mapping
from typing import Any

from lineage.sources.state import FileState

ReadRange = Callable[[str, int, int], bytes]
"""(path, first byte, number of bytes) → the bytes"""


def pinned_filesystem(states: Mapping[str, FileState], read: ReadRange) -> Any:
    """A ``pyarrow.fs.FileSystem`` that reads the objects in ``states`` by ``read`` and knows no others."""
    import pyarrow as pa
    from pyarrow import fs

    class PinnedObjects(fs.FileSystemHandler):  # type: ignore[misc] # pyarrow has no types
        """Only what a Parquet reader calls; the rest refuses."""

        def get_type_name(self) -> str:
            return "pinned"

        def normalize_path(self, path: str) -> str:
            return path

        def get_file_info(self, paths: list[str]) -> list[Any]:
            return [
                fs.FileInfo(path, fs.FileType.File, size=states[path].size)
                if path in states
                else fs.FileInfo(path, fs.FileType.NotFound)
                for path in paths
            ]

        def open_input_file(self, path: str) -> Any:
            if path not in states:
                raise FileNotFoundError(errno.ENOENT, "no such object was pinned", path)
            return pa.PythonFile(_RangedFile(path, states[path].size, read), mode="r")

        open_input_stream = open_input_file

        def _refuse(self, *_arguments: Any, **_options: Any) -> Any:
            raise io.UnsupportedOperation

        get_file_info_selector = create_dir = delete_dir = delete_dir_contents = _refuse
        delete_root_dir_contents = delete_file = move = copy_file = _refuse
        open_output_stream = open_append_stream = _refuse

    return fs.PyFileSystem(PinnedObjects())


class _RangedFile(io.RawIOBase):
    """A file whose every read is one request: Arrow asks for whole column chunks, and for neighbours at once."""

    def __init__(self, path: str, size: int, read: ReadRange) -> None:
        self._path, self._size, self._read, self._at = path, size, read, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def size(self) -> int:
        return self._size

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._size - self._at)
        length = left if size is None or size < 0 else min(size, left)
        data = self._read(self._path, self._at, length) if length else b""
        self._at += len(data)
        return data
