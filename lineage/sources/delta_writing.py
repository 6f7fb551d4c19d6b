"""Writing Delta tables: a version is there whole or not at all, and deltalake lets appends follow each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa

from lineage.errors import SourceUnreadable
from lineage.sources.destinations import fitted


@dataclass(frozen=True)
class DeltaDestination:
    """The Delta table at ``location``."""

    location: str
    """an absolute path, or ``s3://bucket/key``"""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    """deltalake's storage options: endpoint, credentials, region"""

    def exists(self) -> bool:
        """Whether a table is there."""
        from deltalake import DeltaTable

        with _delta_errors(self.location):
            return DeltaTable.is_deltatable(self.location, self._options)

    def append(self, rows: pa.Table) -> pa.Table:
        """Add a version with ``rows``, in the table's types, and give them so. Raises SourceUnreadable, LossyCast."""
        from deltalake import DeltaTable, write_deltalake

        with _delta_errors(self.location):
            table = DeltaTable(self.location, storage_options=self._options)
            schema = pa.schema([_plain(one) for one in pa.schema(table.schema().to_arrow())])
        new = fitted(rows, schema)
        with _delta_errors(self.location):
            write_deltalake(self.location, new, mode="append", storage_options=self._options)
        return new

    def replace(self, rows: pa.Table) -> None:
        """Add a version that holds ``rows`` alone; the first of a table that is not there yet."""
        from deltalake import write_deltalake

        with _delta_errors(self.location):
            write_deltalake(
                self.location, rows, mode="overwrite", schema_mode="overwrite", storage_options=self._options
            )

    @property
    def _options(self) -> dict[str, str] | None:
        return dict(self.options) or None


def _plain(one: pa.Field) -> pa.Field:
    """The field without the views that deltalake may speak of: the file has plain strings and bytes."""
    plain = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    return pa.field(one.name, plain.get(one.type, one.type))


@contextmanager
def _delta_errors(location: str) -> Iterator[None]:
    from deltalake.exceptions import DeltaError

    try:
        yield
    except (DeltaError, OSError) as error:
        raise SourceUnreadable(
            f"The Delta table at {location} cannot be written ({type(error).__name__}). Check its path, endpoint"
            " (s3_endpoint_override), credentials and what they may write, and that its columns have Delta's types."
        ) from None  # deltalake may quote values
