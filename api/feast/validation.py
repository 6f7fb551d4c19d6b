"""The suites of a repository, held against the rows of one retrieval within the limits of its offline store."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from api.feast.pulled import PullRequest
from api.feast.request import RetrievalRequest
from governance.assets import Definitions
from governance.validation.applicable import applicable_suites, unversioned
from governance.validation.entry import entries
from governance.validation.reading import readings
from lineage.duckdb_engine import Limits

if TYPE_CHECKING:
    from governance.validation.one_pass import Engine

_SPARE = 8
"""A table needs no limit of its own where so many of it fit into the one that is set."""
_COMMON_LIMIT = 2**30
"""bytes, where none is set: below an eighth of it nothing is worth opening an engine and a spill directory for"""


def held(
    rows: pa.Table | Callable[[], pa.RecordBatchReader],
    request: RetrievalRequest | PullRequest,
    definitions: Definitions,
    *,
    repo: Path,
    limits: Limits,
) -> list[dict[str, Any]]:
    """The ``validation`` of a record: one entry for each expectation and reading of the rows.

    Raises ConfigurationError for a suite of nothing, SuiteError, ValidationCrashed.
    """
    applicable = applicable_suites(definitions, request.asked, repo / "expectations")
    if not applicable:
        return []
    from governance.validation.validate import validate  # DuckDB takes half a second to import

    outputs = [(unversioned(view), feature, column) for view, feature, column in request.columns]
    found: list[dict[str, Any]] = []
    with _engine(rows, limits) as engine:
        columns = (rows if isinstance(rows, pa.Table) else rows()).schema.names
        for one in applicable:
            for reading in readings(one.suite, one.features, outputs, columns):
                found += entries(one.suite, reading, validate(reading.rows(rows), one.suite, engine=engine))
    return found


def suites_of(validation: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Name and digest of each suite that the entries are of, in their order."""
    named = dict.fromkeys((one["suite"], one["suite_sha256"]) for one in validation)
    return [{"name": name, "sha256": digest} for name, digest in named]


def limits_in(document: Mapping[str, Any], repo: Path) -> Limits:
    """The limits that an ``offline_store:`` block sets, as far as it does. Raises ConfigurationError."""
    store = document.get("offline_store")
    said: Mapping[str, Any] = store if isinstance(store, Mapping) else {}
    spill = said.get("spill_directory")
    folder = None if spill is None else repo / Path(spill).expanduser()
    return Limits(said.get("memory_limit"), said.get("threads"), folder)


@contextmanager
def _engine(rows: pa.Table | Callable[[], pa.RecordBatchReader], limits: Limits) -> Iterator[Engine | None]:
    """An engine within ``limits``, whose spilled rows go with it; None for a table that needs none."""
    if isinstance(rows, pa.Table) and rows.nbytes * _SPARE <= (limits.memory_bytes or _COMMON_LIMIT):
        yield None
        return
    from governance.validation.one_pass import Engine

    if limits.spill is not None:
        limits.spill.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="provender-spill-", dir=limits.spill) as folder:
        yield Engine(limits.memory, Path(folder), limits.threads)
