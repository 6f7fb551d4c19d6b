"""The end of a run that something broke off: recorded where that can be done, and never instead of the cause."""

from __future__ import annotations

from governance.errors import AnswerIsNo, WrongQuestion
from lineage.database import database_errors
from lineage.errors import RunEnded
from lineage.recorder import Act, Recorder


def close_broken_off(recorder: Recorder, act: Act, *, cause: BaseException) -> None:
    """Record ``act``, the end of a run that ``cause`` ended; the caller raises ``cause`` then.

    A run that is not open needs no end: its start was never recorded, or its end stands. What else keeps the record
    from being made (or, once it stands, from the ledger) becomes a note on ``cause``; a run that stays open is closed
    by the next recorder (``lineage.aborts``).
    """
    try:
        with database_errors():
            recorder.record(act)
    except RunEnded:
        pass
    except (AnswerIsNo, WrongQuestion) as error:
        cause.add_note(f"While the end of run {act.run} was recorded: {error}")
