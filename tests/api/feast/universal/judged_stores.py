"""What Feast's universal offline-store tests are run against, as Feast asks other projects to say it.

``FULL_REPO_CONFIGS_MODULE=tests.api.feast.universal.judged_stores`` makes Feast's own test suite use the stores below:
see ``judge.py`` beside this file. It needs a checkout of Feast, whose test suite is in no package; nothing of ours
imports this module.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from feast import FileSource
from feast.data_format import ParquetFormat

# Feast's test suite, not ours: `tests` here is the one of the checkout
from tests.universal.feature_repos.universal.data_sources.file import (  # type: ignore[import-not-found]
    DeltaFileSourceCreator,
    FileDataSourceCreator,
)

GOVERNED = "api.feast.GovernedProvider"
POLICY = """
version: 1
zones: {EU: [DE]}
places: [{match: "**", zone: EU}]
callers: [{match: "process:*", purposes: [judging]}]
rules:
  - {id: never, on: feature_view, when: "ttl_seconds < 0", level: deny, gates: [apply], message: never, fix: none}
"""
"""It refuses nothing: the universal tests judge the store, not a policy."""


class Open:
    """The store without a governed provider around it."""

    def create_offline_store_config(self) -> Any:
        from open_store import OpenAsofOfflineStoreConfig

        return OpenAsofOfflineStoreConfig(
            type="open_store.OpenAsofOfflineStore", staging_location=tempfile.mkdtemp(prefix="staging")
        )

    def sql_name(self, source: Any) -> str:
        """What SQL calls a data source. (Feast's sources of files have no table names, so it skips SQL there.)"""
        return '"' + source.name.replace('"', '""') + '"'


class Governed(Open):
    """The store as it is meant to be used: governed provider, governed registry, a policy that allows."""

    def setup(self, registry: Any) -> None:
        """Make the registry that Feast is about to open a governed one.

        From a bare configuration, as its tests give, Feast takes the working directory for the repository.
        """
        repo, self._before = Path(registry.path).parent, Path.cwd()
        os.chdir(repo)
        registry.registry_store_type = "api.feast.GovernedRegistryStore"
        registry.path = "data/registry"
        (repo / "policy.yaml").write_text(POLICY)
        document = {
            "project": self.project_name,  # type: ignore[attr-defined] # Feast's base class has it
            "provider": GOVERNED,
            "registry": {"registry_store_type": registry.registry_store_type, "path": registry.path},
            "governance": {"policy": "policy.yaml"},
        }
        (repo / "feature_store.yaml").write_text(yaml.safe_dump(document))

    def teardown(self) -> None:
        """Leave the repository."""
        os.chdir(self._before)
        super().teardown()  # type: ignore[misc] # Feast's base class has it

    def create_offline_store_config(self) -> Any:
        from api.feast.asof_store import AsofOfflineStoreConfig

        return AsofOfflineStoreConfig(staging_location=tempfile.mkdtemp(prefix="staging"))


class DirectoryCreator(FileDataSourceCreator):  # type: ignore[misc] # Feast's tests have no types
    """Each source a directory of two Parquet files."""

    def create_data_source(
        self,
        df: pd.DataFrame,
        destination_name: str,
        created_timestamp_column: str | None = "created_ts",
        field_mapping: dict[str, str] | None = None,
        timestamp_field: str | None = "ts",
    ) -> FileSource:
        """A source with the rows of ``df``."""
        place = Path(tempfile.mkdtemp(prefix=f"{self.project_name}_{destination_name}"))
        rows = pa.Table.from_pandas(df)
        half = rows.num_rows // 2
        for number, part in enumerate((rows.slice(0, half), rows.slice(half))):
            pq.write_table(part, place / f"part-{number}.parquet")
        return FileSource(
            file_format=ParquetFormat(),
            path=str(place),
            timestamp_field=timestamp_field,
            created_timestamp_column=created_timestamp_column,
            field_mapping=field_mapping or {"ts_1": "ts"},
        )


class OpenFile(Open, FileDataSourceCreator):  # type: ignore[misc] # Feast's tests have no types
    """One Parquet file a source."""


class OpenDirectory(Open, DirectoryCreator):  # type: ignore[misc] # likewise
    """A directory of Parquet files a source."""


class OpenDelta(Open, DeltaFileSourceCreator):  # type: ignore[misc] # likewise
    """A Delta table a source."""


class GovernedFile(Governed, FileDataSourceCreator):  # type: ignore[misc] # likewise
    """One Parquet file a source, governed."""


class GovernedDelta(Governed, DeltaFileSourceCreator):  # type: ignore[misc] # likewise
    """A Delta table a source, governed."""


_OPEN = [("local", OpenFile), ("local", OpenDirectory), ("local", OpenDelta)]
_GOVERNED = [(GOVERNED, GovernedFile), (GOVERNED, GovernedDelta)]

AVAILABLE_OFFLINE_STORES = {"open": _OPEN, "governed": _GOVERNED}[os.environ.get("PROVENDER_JUDGED", "open")]
AVAILABLE_ONLINE_STORES = {"sqlite": ({"type": "sqlite"}, None)}
