"""What every kind of source offers: to be opened in one state, which is then read, recorded and checked.

The order that keeps rows and record together::

    opened = source.open()  # pins what is there now; or source.open(at=recorded)
    state = opened.state(cache)  # goes into the manifest
    rows = opened.dataset.to_table(columns=["heart_rate"])  # as often as needed, always in the same order
    opened.check_unchanged()  # only now do the rows belong to the state
"""

from __future__ import annotations

from collections.abc import Hashable, MutableMapping
from typing import Any, Protocol

from lineage.sources.digests import FileKey
from lineage.sources.state import FileState, SourceState


class OpenSource(Protocol):
    """One pinned state of a source."""

    @property
    def name(self) -> str:
        """What the data source is called."""

    @property
    def uri(self) -> str:
        """The place of the source, as policies name it."""

    @property
    def dataset(self) -> Any:
        """A ``pyarrow.dataset.Dataset`` of exactly this state, read lazily, columns and filters pushed down.

        Files stand in the order of their paths, rows as in their file: ``to_table()`` and ``to_batches()`` give the
        same order each time, whatever columns are asked for. Raises SourceUnreadable.
        """

    def state(self, cache: MutableMapping[FileKey, str]) -> SourceState:
        """What goes into manifest and record; digests of unchanged local files come from ``cache``.

        To be called before the rows are read. Raises SourceUnreadable.
        """

    def computed(self) -> tuple[FileState, ...]:
        """The files with the SHA-256 of their bytes, every byte read since the source was opened.

        For who verifies: costs a reading of everything. Raises SourceUnreadable.
        """

    def check_unchanged(self) -> None:
        """Raise SourceUnreadable where what was read since the source was opened may be another state."""

    def key(self) -> Hashable:
        """A fingerprint that costs no reading: equal keys, equal state (of files that have settled)."""


class Source(Protocol):
    """Something that feature values are read from."""

    @property
    def name(self) -> str:
        """What the data source is called."""

    @property
    def uri(self) -> str:
        """The place of the source, as policies name it."""

    def open(self, at: SourceState | None = None) -> OpenSource:
        """The source as it is now, or as it was recorded.

        Raises SourceUnreadable; of a recorded state also SourceGone and SourceChanged, which say what differs.
        """
