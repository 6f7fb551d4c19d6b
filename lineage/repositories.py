"""Which governed repositories this process can read from.

``lineage`` reads no configuration: whoever does (``api``, by the entry point group ``provender.repository``) gives an
opener, and says which repositories it has opened.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from governance.errors import ConfigurationError

if TYPE_CHECKING:
    from lineage.opened_snapshot import OpenSnapshot
    from lineage.recorded_snapshots import RecordedSnapshots

GROUP = "provender.repository"
Opener: TypeAlias = "Callable[[Path], RecordedSnapshots]"

_opened: dict[Path, Callable[[], RecordedSnapshots]] = {}


def remember(repo: Path, snapshots: Callable[[], RecordedSnapshots]) -> None:
    """This process has opened the repository in ``repo``, and these are its snapshots."""
    _opened[repo.resolve()] = snapshots


def open_snapshot(name: str, *, repo: str | Path | None = None) -> OpenSnapshot:
    """A recorded snapshot, open for reading; every row is verified before it is handed out.

    :param name: ``td1-sha256:<hex>``, or ``random:<hex>`` of a small snapshot
    :param repo: the Feast repository; if not given, the only one that this process has opened
    :raises UnknownSnapshot: there is none of that name
    :raises SnapshotNotRecorded: no signed record speaks of what lies under that name
    :raises SnapshotCorrupt: manifest or rows are not as recorded
    :raises ConfigurationError: no repository is named, or it cannot be opened
    """
    return _snapshots(None if repo is None else Path(repo).resolve()).open(name)


def _snapshots(repo: Path | None) -> RecordedSnapshots:
    if repo is None:
        return _only()()
    known = _opened.get(repo)
    return _opener()(repo) if known is None else known()


def _only() -> Callable[[], RecordedSnapshots]:
    if len(_opened) == 1:
        return next(iter(_opened.values()))
    found = "has opened none" if not _opened else f"has opened {', '.join(sorted(map(str, _opened)))}"
    raise ConfigurationError(
        f"Which repository is meant? This process {found}. Pass the directory of the Feast repository, as in"
        ' lineage.open_snapshot(name, repo="feature_repo").'
    )


def _opener() -> Opener:
    found = tuple(entry_points(group=GROUP))
    if not found:
        raise ConfigurationError(
            f"Nothing here knows how to open a repository: no package has an entry point of the group {GROUP}. Install"
            " provender (`pip install provender`) into this environment."
        )
    opener: Opener = found[0].load()
    return opener
