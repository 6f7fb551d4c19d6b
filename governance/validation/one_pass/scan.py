"""Measure everything in as few scans as can be.

One query takes all that can share a scan, one more what needs the rows in order, and each measure that groups or
compares rows is one of its own. Of a small table a query costs more to plan than to run, so that one takes them all.

DuckDB lives in memory, loads no extension and touches no file but its spill directory. A connection costs some
twenty milliseconds, and so does a change of its number of threads: each process keeps one with all threads and one with
a single thread, and gives every validation without limits a cursor.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from governance.validation.errors import ValidationCrashed
from governance.validation.one_pass.columns import Column, Rows, prepared, raw
from governance.validation.one_pass.measure import Measure

if TYPE_CHECKING:
    import duckdb

_SMALL = 65_536
"""rows"""
_FEW = 8
"""measures that group or compare rows: more of them are not planned together"""


@dataclass(frozen=True)
class Engine:
    """How much DuckDB may take."""

    memory_limit: str | None = None
    """such as ``2GiB``; DuckDB's own limit, most of the machine's memory, where None"""
    spill: Path | None = None
    """A private directory for what does not fit into memory: it then holds values. None keeps everything off disk."""
    threads: int | None = None
    """How many processors; all where None"""


def measured(rows: Rows, measures: Iterable[Measure], columns: Sequence[Column], engine: Engine) -> dict[Measure, Any]:
    """The value of each measure over the rows, of which only ``columns`` are read.

    Raises ValidationCrashed where the rows cannot be scanned.
    """
    import duckdb

    values: dict[Measure, Any] = {}
    small = _is_small(rows)
    scans = _scans(tuple(dict.fromkeys(measures)), together=small)
    for alone, groups in groupby(scans, lambda group: small or group[0].in_order):
        with _cursor(engine, alone=alone) as cursor:
            for group in groups:
                cursor.register("raw", raw(rows, columns))
                try:
                    found = zip(group, _values(cursor, group, columns), strict=True)
                    values |= {one: one.empty if value is None else value for one, value in found}
                except duckdb.Error as error:
                    raise ValidationCrashed(
                        f"The rows could not be measured ({type(error).__name__}). Expected a table that DuckDB can"
                        " scan; out of memory, give it a limit and a directory to spill to."
                    ) from None  # DuckDB's messages quote values
                finally:
                    cursor.unregister("raw")
    return values


def _is_small(rows: Rows) -> bool:
    """Whether waking up other threads would cost more than they could do."""
    import pyarrow as pa

    return isinstance(rows, pa.Table) and rows.num_rows <= _SMALL


def _scans(measures: tuple[Measure, ...], *, together: bool) -> list[tuple[Measure, ...]]:
    """Which measures are taken by one query."""
    if together and sum(one.alone for one in measures) <= _FEW:
        return [measures]
    groups: list[tuple[Measure, ...]] = []
    for in_order in (False, True):
        here = [one for one in measures if one.in_order is in_order]
        groups += [(one,) for one in here if one.alone]
        if shared := tuple(one for one in here if not one.alone):
            groups.append(shared)
    return groups


def _values(cursor: duckdb.DuckDBPyConnection, group: Sequence[Measure], columns: Sequence[Column]) -> Sequence[Any]:
    wanted = ", ".join(f"({one.sql})" if one.alone else one.sql for one in group)
    select = f"SELECT {wanted}" if all(one.alone for one in group) else f"SELECT {wanted} FROM prepared"  # noqa: S608 - SQL of our own
    parameters = [parameter for one in group for parameter in one.parameters]
    (row,) = cursor.execute(f"{prepared(columns)} {select}", parameters).fetchall()
    values: Sequence[Any] = row
    return values


@contextmanager
def _cursor(engine: Engine, *, alone: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """Where a query runs, on one thread where ``alone``."""
    if engine == Engine():
        with kept_connection(os.getpid(), alone=alone).cursor() as cursor:
            yield cursor
    else:
        with _opened(engine, alone=alone) as connection:
            yield connection


@cache
def kept_connection(_process: int, *, alone: bool) -> duckdb.DuckDBPyConnection:
    """The connection without limits of this process: a forked child must not use its parent's."""
    return _opened(Engine(), alone=alone)


def _opened(engine: Engine, *, alone: bool) -> duckdb.DuckDBPyConnection:
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "temp_directory": str(engine.spill) if engine.spill is not None else "",
    }
    if engine.memory_limit is not None:
        config["memory_limit"] = engine.memory_limit
    if alone or engine.threads is not None:
        config["threads"] = 1 if alone else engine.threads or 1
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET GLOBAL TimeZone = 'UTC'")  # or the machine's zone decides; for the cursors, too
    return connection
