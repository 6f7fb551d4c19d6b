"""Hashing on other threads: the same digest, the same error, and bounded memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.errors import NotDigestible
from lineage.td1 import CHUNK_ROWS, Digester, digest_table
from lineage.td1.workers import Leaves, workers


@given(st.integers(0, 3 * CHUNK_ROWS), st.integers(1, 9), st.integers(2, 4))
@settings(max_examples=10, deadline=None)
def test_any_number_of_threads_gives_the_digest_of_one(rows: int, columns: int, threads: int) -> None:
    table = pa.table({f"c{number}": np.arange(rows) * number for number in range(columns)})
    assert digest_table(table, threads=threads) == digest_table(table)


@given(st.lists(st.tuples(st.integers(0, 4 * CHUNK_ROWS - 1), st.integers(0, 8)), min_size=1, max_size=4))
@settings(max_examples=10, deadline=None)
def test_threads_name_the_error_that_one_thread_names(places: list[tuple[int, int]]) -> None:
    nanoseconds = np.zeros((9, 4 * CHUNK_ROWS), "i8")
    for row, column in places:
        nanoseconds[column, row] = 1
    table = pa.table({f"c{number}": pa.array(found, pa.timestamp("ns")) for number, found in enumerate(nanoseconds)})
    found = []
    for threads in (1, 3):
        with pytest.raises(NotDigestible) as raised:
            digest_table(table, threads=threads)
        found.append((raised.value.kind, raised.value.column, raised.value.row))
    assert found[0] == found[1]


def test_whoever_hands_out_too_much_work_waits() -> None:
    may_end = threading.Event()
    handed_out: list[Future[Leaves]] = []

    def work() -> Leaves:
        may_end.wait()
        return []

    def hand_out(submit: Callable[[Callable[[], Leaves]], Future[Leaves]]) -> None:
        handed_out.extend(submit(work) for _ in range(9))

    with workers(2) as submit:
        busy = threading.Thread(target=hand_out, args=(submit,))
        busy.start()
        busy.join(0.3)
        assert busy.is_alive()
        assert len(handed_out) == 4
        may_end.set()
        busy.join()
    assert [one.result() for one in handed_out] == [[]] * 9


def test_a_digester_may_hand_out_to_whoever_does_the_work() -> None:
    handed_out: list[Future[Leaves]] = []

    def submit(work: Callable[[], Leaves]) -> Future[Leaves]:
        handed_out.append(Future())
        handed_out[-1].set_result(work())
        return handed_out[-1]

    table = pa.table({"a": np.arange(CHUNK_ROWS + 1)})
    digester = Digester(table.schema, submit=submit)
    for batch in table.to_batches():
        digester.update(batch)
    assert digester.finish() == digest_table(table)
    assert len(handed_out) == 2
