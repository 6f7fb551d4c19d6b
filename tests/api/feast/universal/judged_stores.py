"""What Feast's universal offline-store tests are run against, as Feast asks other projects to say it.

``FULL_REPO_CONFIGS_MODULE=tests.api.feast.universal.judged_stores`` makes Feast's own test suite use the stores below:
see ``judge.py`` beside this file. It needs a checkout of Feast, whose test suite is in no package; nothing of ours
imports this module.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import sys
import tempfile
import uuid
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from feast import FileSource
from feast.data_format import DeltaFormat, ParquetFormat
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

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
        """What SQL calls a data source; Feast's suite asks a source itself, and skips SQL where that is a file."""
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


@cache
def _server() -> Any:
    """An S3 store for this process."""
    place = Path(__file__).resolve().parents[3] / "seaweedfs.py"
    specification = importlib.util.spec_from_file_location("provender_seaweedfs", place)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    server = _RUNNING.enter_context(module.running_seaweedfs())
    server.client().create_bucket(Bucket="judged")
    return server


_RUNNING = ExitStack()
atexit.register(_RUNNING.close)


class DeltaS3Creator(FileDataSourceCreator):  # type: ignore[misc] # Feast's tests have no types
    """Each source a Delta table on S3."""

    def __init__(self, project_name: str, *_arguments: Any, **_options: Any) -> None:
        super().__init__(project_name)
        server = _server()
        self.endpoint = server.endpoint
        self.mock_environ = {
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key,
            "AWS_REGION": server.region,
            "AWS_DEFAULT_REGION": server.region,
        }

    def create_data_source(
        self,
        df: pd.DataFrame,
        destination_name: str,
        created_timestamp_column: str | None = "created_ts",
        field_mapping: dict[str, str] | None = None,
        timestamp_field: str | None = "ts",
    ) -> FileSource:
        """A source with the rows of ``df``."""
        from deltalake import write_deltalake

        path = f"s3://judged/{uuid.uuid4()}/{destination_name}"
        options = {**self.mock_environ, "AWS_ENDPOINT_URL": self.endpoint, "AWS_ALLOW_HTTP": "true"}
        write_deltalake(path, df, storage_options=options)
        return FileSource(
            file_format=DeltaFormat(),
            path=path,
            timestamp_field=timestamp_field,
            created_timestamp_column=created_timestamp_column,
            field_mapping=field_mapping or {"ts_1": "ts"},
            s3_endpoint_override=self.endpoint,
        )

    def create_saved_dataset_destination(self) -> SavedDatasetFileStorage:
        """A Delta table that is not there yet."""
        path = f"s3://judged/{uuid.uuid4()}"
        return SavedDatasetFileStorage(path=path, file_format=DeltaFormat(), s3_endpoint_override=self.endpoint)


class OpenFile(Open, FileDataSourceCreator):  # type: ignore[misc] # Feast's tests have no types
    """One Parquet file a source."""


class OpenDirectory(Open, DirectoryCreator):  # type: ignore[misc] # likewise
    """A directory of Parquet files a source."""


class OpenDelta(Open, DeltaFileSourceCreator):  # type: ignore[misc] # likewise
    """A Delta table a source."""


class OpenDeltaS3(Open, DeltaS3Creator):
    """A Delta table on S3 a source."""


class GovernedFile(Governed, FileDataSourceCreator):  # type: ignore[misc] # likewise
    """One Parquet file a source, governed."""


class GovernedDelta(Governed, DeltaFileSourceCreator):  # type: ignore[misc] # likewise
    """A Delta table a source, governed."""


_OPEN = [("local", one) for one in (OpenFile, OpenDirectory, OpenDelta, OpenDeltaS3)]
_GOVERNED = [(GOVERNED, GovernedFile), (GOVERNED, GovernedDelta)]

AVAILABLE_OFFLINE_STORES = {"open": _OPEN, "governed": _GOVERNED}[os.environ.get("PROVENDER_JUDGED", "open")]
AVAILABLE_ONLINE_STORES = {"sqlite": ({"type": "sqlite"}, None)}

# Some tests are for Feast's "file" store alone, and are for stores of files: here that is ours. (Feast's module imports
# this one while it is imported itself, after it has made this dictionary.)
_theirs = sys.modules["tests.universal.feature_repos.repo_configuration"]
_theirs.OFFLINE_STORE_TO_PROVIDER_CONFIG["file"] = AVAILABLE_OFFLINE_STORES[0]
