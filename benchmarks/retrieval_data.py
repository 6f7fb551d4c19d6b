"""Feature rows and entity rows for the retrieval benchmark, written once for each shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

MOMENT = pa.timestamp("us", tz="UTC")
TTL = timedelta(days=30)
_DAY = 86400 * 10**6
_BEGIN, _SPAN = 19_000 * _DAY, 365 * _DAY
_GROUP = 1_000_000
"""rows in a row group, pyarrow's own default being about as many"""


@dataclass(frozen=True)
class Shape:
    """What is retrieved: rows of so many entities over a year, in the order of their times."""

    name: str
    rows: int
    """of each source; one in a hundred corrects another one: same entity and time, created later"""
    entities: int
    spine: int
    views: int = 1
    features: int = 10
    words: bool = False
    """keys are strings"""
    coarse: bool = False
    """values of one byte's worth each, so that very many rows take little disk"""

    def names(self, view: int) -> list[str]:
        """Of the features of one view."""
        return [f"v{view}_f{number}" for number in range(self.features)]

    def source(self, folder: Path, view: int) -> Path:
        """The file of one view."""
        return folder / f"view_{view}.parquet"

    def write(self, folder: Path) -> None:
        """All files, unless they are there."""
        folder.mkdir(parents=True, exist_ok=True)
        for view in range(self.views):
            if not (path := self.source(folder, view)).exists():
                partial = path.with_suffix(".partial")
                self._write(partial, view)
                partial.rename(path)
        if not (path := folder / "spine.parquet").exists():
            pq.write_table(self._spine(), path)

    def _write(self, path: Path, view: int) -> None:
        draw = np.random.default_rng(view)
        batches = self._batches(draw, view)
        first = next(batches)
        with pq.ParquetWriter(path, first.schema, compression="zstd" if self.coarse else "snappy") as writer:
            writer.write_table(first, row_group_size=_GROUP)
            for batch in batches:
                writer.write_table(batch, row_group_size=_GROUP)

    def _batches(self, draw: np.random.Generator, view: int) -> Iterator[pa.Table]:
        for start in range(0, self.rows, _GROUP):
            count = min(_GROUP, self.rows - start)
            part = _SPAN * count // self.rows
            times = np.sort(draw.integers(0, part, count)) + _BEGIN + _SPAN * start // self.rows
            entities = draw.integers(0, self.entities, count)
            created = times + draw.integers(0, 3600 * 10**6, count)
            corrected = np.arange(100, count, 100)
            times[corrected], entities[corrected] = times[corrected - 1], entities[corrected - 1]
            created[corrected] = created[corrected - 1] + draw.integers(1, _DAY, len(corrected))
            columns = {"entity": self._keys(entities), "event_timestamp": times, "created": created}
            values = {name: self._values(draw, count) for name in self.names(view)}
            table = pa.table({**columns, **values})
            for name in ("event_timestamp", "created"):
                table = table.set_column(table.column_names.index(name), name, table.column(name).cast(MOMENT))
            yield table

    def _values(self, draw: np.random.Generator, count: int) -> np.ndarray:
        return draw.integers(0, 256, count) / 4 if self.coarse else draw.standard_normal(count)

    def _spine(self) -> pa.Table:
        draw = np.random.default_rng(100)
        times = pa.array(_BEGIN + draw.integers(0, _SPAN, self.spine)).cast(MOMENT)
        return pa.table({"entity": self._keys(draw.integers(0, self.entities, self.spine)), "event_timestamp": times})

    def _keys(self, numbers: np.ndarray) -> pa.Array:
        return pa.array(np.char.add("patient-", numbers.astype(str))) if self.words else pa.array(numbers)


def shapes(scale: float) -> dict[str, Shape]:
    """The shapes by name. ``scale`` shrinks the skewed one, which is 100 million rows in full."""
    known = [
        Shape("1M x 100k", 10**6, 10**4, 10**5),
        Shape("10M x 1M", 10**7, 10**5, 10**6),
        Shape("10M x 1M, 10k entities", 10**7, 10**4, 10**6),
        Shape("10M x 1M, 1k entities", 10**7, 10**3, 10**6),
        Shape("10 views of 50", 10**6, 10**4, 10**5, views=10, features=50),
        Shape("skew", int(10**8 * scale), 10**4, 10**5, coarse=True),
        Shape("string keys", 10**6, 10**4, 10**5, words=True),
        Shape("big", 10**8, 10**5, 10**6, coarse=True),
        Shape("tiny", 1000, 100, 100),
    ]
    return {shape.name: shape for shape in known}
