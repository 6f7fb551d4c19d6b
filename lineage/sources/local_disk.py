"""Sources on a disk of this machine (or mounted here)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, MutableMapping, Sequence
from glob import glob
from pathlib import Path
from typing import Any

from lineage.errors import SourceChanged, SourceGone, SourceUnreadable
from lineage.sources.digests import FileKey, SeenFile, file_key, known_state, seen_files
from lineage.sources.files import WILDCARDS, is_data, path_order, sample
from lineage.sources.state import FileState, Knowledge


class LocalDisk:
    """The file system of this machine; paths are absolute."""

    def find(self, path: str) -> tuple[str, ...]:
        """The file of that path, the Parquet files of a directory, or the files that a glob matches.

        Raises SourceUnreadable for a directory that changes while it is listed.
        """
        place = Path(path)
        if place.is_dir():
            below = (file for file in place.rglob("*") if is_data(file.relative_to(place).as_posix()))
            try:
                return _in_order(str(file) for file in below if file.is_file())
            except FileNotFoundError as error:
                raise SourceUnreadable(
                    f"{error.filename} went away while {path} was listed. Expected a directory that nobody changes"
                    " meanwhile; run it again when its writer is done."
                ) from error
        if any(mark in path for mark in WILDCARDS) and not place.exists():
            matched = glob(path, recursive=True)  # noqa: PTH207 # Path.glob() starts at a directory, a source at a path
            return _in_order(file for file in matched if Path(file).is_file())
        return (path,)

    def pin(self, paths: Sequence[str]) -> LocalFiles:
        """The files as they are now. Raises SourceUnreadable."""
        return LocalFiles(paths)

    def pin_recorded(self, files: Sequence[FileState]) -> LocalFiles:
        """The files, if every byte is the recorded one. Raises SourceGone, SourceChanged, SourceUnreadable."""
        gone = [file.path for file in files if not Path(file.path).exists()]
        if gone:
            raise SourceGone(
                f"Recorded files are no longer there: {sample(gone)}. Bring them back from a backup to their places."
            )
        pinned = LocalFiles([file.path for file in files])
        now = {file.path: file for file in pinned.states({})[0]}  # nothing remembered counts as proof
        changed = [file.path for file in files if file.sha256 is None or now[file.path].sha256 != file.sha256]
        if changed:
            raise SourceChanged(
                f"{len(changed)} of {len(files)} recorded files hold other bytes now: {sample(changed)}. Bring the"
                " recorded ones back from a backup."
            )
        return pinned


class LocalFiles:
    """Files of this machine, held to inode and times, and to their digest where those cannot tell."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._keys = {path: file_key(Path(path)) for path in sorted(paths, key=path_order)}
        self._seen: dict[str, SeenFile] = {}

    @property
    def paths(self) -> tuple[str, ...]:
        """Absolute paths in order."""
        return tuple(self._keys)

    @property
    def filesystem(self) -> Any:
        """The local file system; not memory-mapped, since a file that is cut short would end the process."""
        from pyarrow.fs import LocalFileSystem

        return LocalFileSystem()

    def states(self, cache: MutableMapping[FileKey, str]) -> tuple[tuple[FileState, ...], Knowledge]:
        """Paths, sizes and digests of what was pinned. Raises SourceUnreadable, also for a file that changed since."""
        self._seen = self._look(cache)
        ordered = [self._seen[path] for path in self._keys]
        return tuple(file.state for file in ordered), known_state(ordered)

    def computed(self) -> tuple[FileState, ...]:
        """Each with the SHA-256 of its bytes, read since they were pinned. Raises SourceUnreadable."""
        if not self._seen or any(file.cached for file in self._seen.values()):
            self.states({})
        return tuple(self._seen[path].state for path in self._keys)

    def check_unchanged(self) -> None:
        """Raise SourceUnreadable for a file that is not the pinned one; hash again what may hide a change."""
        for path, key in self._keys.items():
            if file_key(Path(path)) != key:
                raise _changed(path)
        restless = {path: file for path, file in self._seen.items() if not file.settled}
        for file in seen_files([Path(path) for path in restless], {}):
            if file.state != restless[file.state.path].state:
                raise _changed(file.state.path)

    def key(self) -> Hashable:
        """Path, inode and times of each."""
        return tuple(self._keys.items())

    def _look(self, cache: MutableMapping[FileKey, str]) -> dict[str, SeenFile]:
        found = {file.state.path: file for file in seen_files(map(Path, self._keys), cache)}
        for path, file in found.items():
            if file.key != self._keys[path]:
                raise _changed(path)
        return found


def _in_order(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(paths, key=path_order))


def _changed(path: str) -> SourceUnreadable:
    return SourceUnreadable(
        f"The source file {path} changed while it was read, so its rows belong to no one state. Run again when its"
        " writer is done."
    )
