"""The rows of Feast's data sources, as the store reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from feast.data_source import DataSource

from api.feast.denial import NotOffered
from api.feast.sources import lineage_source, opened


def dataset_of(source: DataSource | None, repo: Path) -> Any:
    """The rows of ``source`` as a dataset that is read lazily, in the state that the present act reads.

    Raises NotOffered for a source of another kind, SourceUnreadable.
    """
    return opened(source, repo).dataset


def column_types(source: DataSource, repo: Path) -> list[tuple[str, str]]:
    """Names and types of the columns of ``source``, as Feast writes Arrow types."""
    plain = {"large_string": "string", "string_view": "string", "large_binary": "binary", "binary_view": "binary"}
    return [(field.name, plain.get(str(field.type), str(field.type))) for field in dataset_of(source, repo).schema]


def refuse_unreadable(source: DataSource | None, repo: Path) -> None:
    """Raise NotOffered for a source of another kind than is read here, without looking at what there is of it."""
    if source is None or lineage_source(source, repo) is None:
        raise NotOffered(
            f"Found a {type(source).__name__} {getattr(source, 'name', '')} at {getattr(source, 'path', 'no path')}."
            " AsofOfflineStore reads Parquet files, Delta and Iceberg tables, on local disks or S3; configure one of"
            " Feast's offline stores for other sources."
        )
