"""The bytes of a source, read again for who verifies a record, beside what the record holds of them."""

from __future__ import annotations

from collections.abc import Sequence

from lineage.errors import SourceChanged
from lineage.sources.files import sample
from lineage.sources.state import FileState, SourceState


def check_bytes(recorded: SourceState, now: Sequence[FileState]) -> str:
    """Compare digests that were recorded with those of the bytes read ``now``; say what was read but not recorded.

    The answer is empty where the record holds a digest of every file. Raises SourceChanged for another digest.
    """
    digests = {file.path: file.sha256 for file in now}
    changed = [one.path for one in recorded.files if one.sha256 not in (None, digests.get(one.path))]
    if changed:
        raise SourceChanged(
            f"{len(changed)} of {len(recorded.files)} recorded files hold other bytes now: {sample(changed)}. Bring the"
            " recorded ones back from a backup."
        )
    unread = [f"{one.path} sha256 {digests.get(one.path)}" for one in recorded.files if one.sha256 is None]
    if not unread:
        return ""
    return (
        f"size and ETag of {len(unread)} of {len(recorded.files)} objects are those that the store stated then; their"
        f" bytes were not read then, and are now: {sample(unread)}"
    )
