"""Threads that hash while the next rows are prepared; SHA-256 of long memory runs outside Python's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import TypeAlias

Leaves: TypeAlias = list[bytes]
Submit: TypeAlias = Callable[[Callable[[], Leaves]], "Future[Leaves]"]
"""Has some work done on another thread."""


@contextmanager
def workers(threads: int) -> Iterator[Submit]:
    """``threads`` threads; whoever hands out more than they and as many waiting can hold waits: memory is bounded."""
    places = BoundedSemaphore(2 * threads)
    with ThreadPoolExecutor(threads) as pool:

        def submit(work: Callable[[], Leaves]) -> Future[Leaves]:
            places.acquire()
            future = pool.submit(work)
            future.add_done_callback(lambda _: places.release())
            return future

        yield submit
