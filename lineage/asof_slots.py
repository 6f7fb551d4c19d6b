"""The point-in-time join itself: the rows of a spine, sorted, as slots into which the rows of a source fall.

A source row counts for the rows of its key from the first moment on at which it was there. So it falls into one slot:
the first spine row of its key that is not before it, found by binary search. Each slot keeps the best row that fell
into it, and what belongs to a spine row is the best of all slots of its key up to its own: a running maximum. The rows
of a source may come in any order and pass by once; what is kept is as long as the spine, however long the source is.

Best is the latest time, then the latest creation, then the last row of the source.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class Candidates:
    """Rows of a source whose keys are in the spine, as numpy int64 arrays of one length."""

    codes: Any
    """number of the key"""
    at: Any
    """time, in ticks of the source"""
    created: Any
    """creation in ticks of the source, the lowest integer where unknown; None in a source that does not say"""
    number: Any
    """place in the source"""
    there: Any
    """the first whole microsecond at which the row counts"""
    since: Any
    """the last whole microsecond not after ``at``: what its age is counted from"""


class Slots:
    """The rows of a spine sorted by key and moment."""

    def __init__(self, codes: Any, moments: Any, count: int) -> None:
        """:param codes: key of each row of the spine, negative for one that nothing belongs to; less than ``count``.

        :param moments: of each row, in microseconds.
        """
        self._rows = _sorted_rows(codes, moments, count)
        self.codes, self.moments = codes[self._rows], moments[self._rows]
        self.starts = np.concatenate([[0], np.cumsum(np.bincount(self.codes, minlength=count))])
        self._spine_rows = len(codes)
        longest = int(np.diff(self.starts).max(initial=0))
        self._steps = [2**power for power in range(longest.bit_length() - 1, -1, -1)]

    def __len__(self) -> int:
        return len(self._rows)

    def of(self, codes: Any, moments: Any) -> tuple[Any, Any]:
        """For each (key, moment) the first slot of that key not before the moment; and which of them have one."""
        slots, ends = np.take(self.starts, codes), np.take(self.starts, codes + 1)
        for step in self._steps:  # a binary search of all at once
            ahead = slots + step
            before = np.take(self.moments, ahead - 1, mode="clip") < moments
            before &= ahead <= ends
            slots = np.where(before, ahead, slots)
        return slots, slots < ends

    def oldest(self, ttl: timedelta | None) -> Any:
        """For each slot the first moment that is not too old for it; None where no age is."""
        if not ttl:
            return None
        age = min(ttl // timedelta(microseconds=1), _HIGHEST)
        return np.where(self.moments < _LOWEST + age, _LOWEST, self.moments - age)

    def in_spine_order(self, numbers: Any) -> Any:
        """What was found for each slot, for each row of the spine; -1 where nothing was."""
        found = np.full(self._spine_rows, -1, np.int64)
        found[self._rows] = numbers
        return found


class Best:
    """The best row of a source for each slot, and in the end for each row of the spine."""

    def __init__(self, slots: Slots, *, ttl: timedelta | None, has_created: bool, known_then: bool) -> None:
        """:param known_then: rows may have fallen into later slots than their times say, having been created later."""
        self._slots, self._oldest, self._known_then = slots, slots.oldest(ttl), known_then
        self._times = [np.full(len(slots), _LOWEST, np.int64) for _ in range(1 + has_created)]
        self._numbers = np.full(len(slots), -1, np.int64)

    def placed(self, rows: Candidates) -> tuple[Any, list[Any]]:
        """The slots into which rows fall, and what they are compared by; without those too old for all that follow."""
        slots, fitting = self._slots.of(rows.codes, rows.there)
        if self._oldest is not None:
            fitting &= rows.since >= np.take(self._oldest, slots, mode="clip")
        columns = [rows.at, *([] if rows.created is None else [rows.created]), rows.number]
        chosen = np.flatnonzero(fitting)
        return slots[chosen], [column[chosen] for column in columns]

    def offer(self, slots: Any, columns: list[Any]) -> None:
        """Keep those of the rows (as :meth:`placed` gives them) that are better; in the order of the source."""
        *times, numbers = columns
        for level, best in enumerate(self._times):
            if level + 1 < len(self._times):
                improved = slots[times[level] > np.take(best, slots)]
                self._times[level + 1][improved] = _LOWEST
            np.maximum.at(best, slots, times[level])
            equal = np.flatnonzero(times[level] == np.take(best, slots))
            if len(equal) < len(slots):
                slots, numbers, times = slots[equal], numbers[equal], [column[equal] for column in times]
        self._numbers[slots] = numbers  # of several rows that are equally good numpy leaves the last

    def found(self, since: Any) -> Any:
        """The number of the source row of each row of the spine, -1 where none fits.

        :param since: gives for times in ticks of the source the last whole microsecond not after each.
        """
        winners = self._running_best()
        numbers = np.where(winners < 0, -1, np.take(self._numbers, winners, mode="clip"))
        if self._oldest is not None:
            numbers[since(np.take(self._times[0], winners, mode="clip")) < self._oldest] = -1
        return self._slots.in_spine_order(numbers)

    def _running_best(self) -> Any:
        """For each slot the slot of the best row so far of the same key, -1 for none."""
        taken = np.flatnonzero(self._numbers >= 0)
        if self._known_then:
            taken = taken[np.lexsort([self._numbers[taken], *(best[taken] for best in reversed(self._times))])]
        ranks = np.zeros(len(self._slots), np.int64)
        ranks[taken] = np.arange(1, len(taken) + 1)
        floor = self._slots.codes * (len(taken) + 1)
        best = np.maximum.accumulate(floor + ranks) - floor
        return np.concatenate([[-1], taken])[best]


def distinct(numbers: Any) -> Any:
    """The distinct ones of numpy integers, sorted."""
    ordered = np.sort(numbers)  # np.unique hashes them first and is several times slower
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)]]


def _sorted_rows(codes: Any, moments: Any, count: int) -> Any:
    rows = np.flatnonzero(codes >= 0)
    codes, moments = codes[rows], moments[rows]
    if len(rows) == 0:
        return rows
    low, span = int(moments.min()), int(moments.max()) - int(moments.min()) + 1
    if count * span <= _HIGHEST:  # one integer says both, and is sorted several times faster
        return rows[np.argsort(codes * span + (moments - low))]
    return rows[np.lexsort([moments, codes])]
