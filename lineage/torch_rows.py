"""The rows of a snapshot as tensors, streamed and verified, for ``torch.utils.data.DataLoader``.

rows = lineage.open_snapshot(name, repo=repo).to_torch(columns=["age", "heart_rate", "label"], batch_rows=4096)
for batch in DataLoader(rows, batch_size=None, num_workers=2):
    loss = model(batch["age"], batch["heart_rate"]) ...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch  # noqa: TID253 - only who asks for tensors imports this module, and a dataset has to be a class to pickle
from torch.utils.data import IterableDataset, get_worker_info  # noqa: TID253 - as above

from governance.errors import ConfigurationError
from lineage.td1.tree import CHUNK_ROWS

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from lineage.opened_snapshot import OpenSnapshot


class TorchRows(IterableDataset[dict[str, torch.Tensor]]):
    """Batches of one snapshot: column → tensor of ``batch_rows`` rows, the last batch of a share maybe fewer.

    The ranks of ``torch.distributed`` (as it was when this was made) and in each the workers of a DataLoader get
    neighbouring ranges of rows, each row once, whose sizes differ by at most one row.
    """

    def __init__(self, snapshot: OpenSnapshot, columns: Sequence[str], *, batch_rows: int) -> None:
        super().__init__()
        if batch_rows < 1:
            raise ConfigurationError(f"batch_rows is {batch_rows}. Expected a number of rows, 1 or more.")
        _refuse_others(snapshot, columns)
        self._snapshot, self._columns, self._batch_rows = snapshot, tuple(columns), batch_rows
        self._rank, self._ranks = _rank()

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        """The batches of this rank and worker, in the order of the rows. Raises SnapshotCorrupt, ObjectsUnreachable."""
        start, end = self._share()
        pending: list[dict[str, torch.Tensor]] = []
        held = 0
        for piece in self._pieces(start, end):
            at, rows = 0, _length(piece)
            while at < rows:
                count = min(self._batch_rows - held, rows - at)
                pending.append({name: tensor[at : at + count] for name, tensor in piece.items()})
                at, held = at + count, held + count
                if held == self._batch_rows:
                    yield _joined(pending)
                    pending, held = [], 0
        if pending:
            yield _joined(pending)

    def _share(self) -> tuple[int, int]:
        info = get_worker_info()
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        share, shares, rows = self._rank * workers + worker, self._ranks * workers, self._snapshot.rows
        return share * rows // shares, (share + 1) * rows // shares

    def _pieces(self, start: int, end: int) -> Iterator[dict[str, torch.Tensor]]:
        for number in range(start // CHUNK_ROWS, -(-end // CHUNK_ROWS)):
            first = number * CHUNK_ROWS
            table = self._snapshot.chunk(number, self._columns)
            low, high = max(start - first, 0), min(end - first, table.num_rows)
            if low < high:
                yield {name: _tensor(table.column(name).slice(low, high - low)) for name in self._columns}


def _refuse_others(snapshot: OpenSnapshot, columns: Sequence[str]) -> None:
    """Raises ConfigurationError for columns that no tensor holds as they are."""
    import pyarrow as pa

    if not columns:
        raise ConfigurationError("No column is named. Expected one or more numeric columns of the snapshot.")
    kinds, nulls = snapshot.schema, snapshot.manifest["nulls"]
    others = [f"{name} ({kinds.field(name).type})" for name in columns if not _is_numeric(kinds.field(name).type)]
    if others:
        raise ConfigurationError(
            f"These columns of snapshot {snapshot.name} are no numbers: {', '.join(others)}. Name the ones to have with"
            " columns=[...], or take to_arrow() and encode them yourself."
        )
    missing = [name for name in columns if nulls.get(name) and not pa.types.is_floating(kinds.field(name).type)]
    if missing:
        raise ConfigurationError(
            f"These columns of snapshot {snapshot.name} have nulls, which a tensor of integers or booleans cannot hold:"
            f" {', '.join(missing)}. Leave them out of columns=[...], or take to_arrow() and fill them yourself."
        )


def _is_numeric(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _rank() -> tuple[int, int]:
    from torch import distributed

    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def _tensor(column: pa.ChunkedArray) -> torch.Tensor:
    """A copy, since Arrow's memory is not to be written; the null of a float is NaN."""
    import numpy as np

    values: np.ndarray = np.array(column.to_numpy(), copy=True)
    return torch.from_numpy(values)


def _joined(pieces: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]}


def _length(piece: dict[str, torch.Tensor]) -> int:
    return len(next(iter(piece.values())))
