"""One governed repository in one long-lived process, with every server of Feast on top and a real client of each."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from tests.api.feast.conftest import EXAMPLE, Repository

OWNER = "data-office@hospital.example"
TAGS = {"residency": "DE", "pii": "true", "purpose": "research"}
SPAN = (datetime(2009, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
REFS = ["laboratory:bilirubin_mg_dl"]
CARELESS = "liver_careless.py"
ARRIVALS = "data/sources/arrivals.parquet"

_EVIDENCE = ("data/provender.db", "data/checkpoints", "data/source-digests.db")
"""What governs the repository: it may and must grow when something is refused."""


@dataclass
class Doors:
    """The repository, and whoever tries to get in."""

    repository: Repository
    store: Any
    """A FeatureStore that lives as long as the process."""
    servers: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return self.repository.path

    @cached_property
    def http(self) -> str:
        """Address of the feature server."""
        return str(self.servers["feature"])

    @cached_property
    def ui(self) -> str:
        """Address of the UI server and its registry API."""
        return str(self.servers["ui"])

    @cached_property
    def remote(self) -> Any:
        """A client that has no file of the repository: registry and offline store are servers."""
        return self._remote("client", self.servers["offline"])

    @cached_property
    def remote_of_governed_store(self) -> Any:
        """The same, whose offline server stands over DuckDB behind ``GovernedOfflineStore``."""
        return self._remote("client_of_governed_store", self.servers["governed offline"])

    def _remote(self, name: str, offline: int) -> Any:
        from feast import FeatureStore

        document = {
            "project": "liver_care",
            "provider": "local",
            "registry": {"registry_type": "remote", "path": f"localhost:{self.servers['registry']}"},
            "offline_store": {"type": "remote", "host": "127.0.0.1", "port": offline},
            "online_store": {"type": "remote", "path": self.http},
            "entity_key_serialization_version": 3,
        }
        return FeatureStore(repo_path=str(self._client(name, document)))

    def client(self, name: str, document: dict[str, Any]) -> Any:
        """Another client of the same repository, with a configuration of its own."""
        from feast import FeatureStore

        file = self._client(name, document) / "feature_store.yaml"
        return FeatureStore(repo_path=str(self.path), fs_yaml_file=file)

    def _client(self, name: str, document: dict[str, Any]) -> Path:
        place = self.path.parent / name
        place.mkdir(exist_ok=True)
        (place / "feature_store.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        return place

    def document(self, **changes: Any) -> dict[str, Any]:
        """The repository's configuration; what is changed to None is left out."""
        read = {**yaml.safe_load((self.path / "feature_store.yaml").read_text()), **changes}
        return {name: value for name, value in read.items() if value is not None}

    def careless(self, name: str = "careless", **changes: Any) -> list[Any]:
        """A source, and a view of it that the policy denies because nobody owns it."""
        from feast import FeatureView, Field, FileSource
        from feast.types import Int64, String

        source = FileSource(
            name=f"{name}_export",
            path="data/sources/follow_up.parquet",
            timestamp_field="event_timestamp",
            owner=OWNER,
            tags=TAGS,
        )
        said = {
            "name": name,
            "entities": [self.store.get_entity("patient")],
            "ttl": timedelta(days=400),
            "schema": [Field(name="patient_id", dtype=Int64), Field(name="outcome", dtype=String)],
            "source": source,
            "owner": "",
            "tags": TAGS,
            **changes,
        }
        return [source, FeatureView(**said)]

    def rows(self) -> pd.DataFrame:
        """Values that somebody would like to have in a store."""
        return pd.read_parquet(self.path / ARRIVALS).head(2).assign(bilirubin_mg_dl=999.0)

    @staticmethod
    def spine() -> pd.DataFrame:
        return pd.DataFrame({"patient_id": [1, 2], "event_timestamp": pd.to_datetime(["2012-01-01"] * 2, utc=True)})

    def feast(self, *arguments: str, adding: str = "", yaml_file: str | None = None) -> Any:
        """``feast`` in the repository, with ``adding`` as one more file of definitions."""
        file = self.path / CARELESS
        file.write_text(adding or "# nothing is defined here\n")
        shutil.rmtree(self.path / "__pycache__", ignore_errors=True)
        given = [] if yaml_file is None else ["-f", str(self.path / yaml_file)]
        try:
            return self.repository.invoke("-c", str(self.path), *given, *arguments)
        finally:
            file.unlink()

    def files(self, *, but: str = "") -> dict[str, str]:
        """Files of repository and clients by the digest of their content, but for the evidence and for ``but``."""
        names = {path: path.relative_to(self.path.parent).as_posix() for path in sorted(self.path.parent.rglob("*"))}
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path, name in names.items()
            if path.is_file() and not _is_evidence(name) and not (but and but in name)
        }

    def records(self) -> list[tuple[str, str]]:
        """What is on record: of a decision the outcome, of an act its state."""
        return [(one.kind, one.predicate.get("outcome") or one.predicate["state"]) for one in self._all()]

    def _all(self) -> list[Any]:
        return list(self.repository.parts.records.all())

    def shown(self) -> set[str]:
        """What cached reads show, in the process and of the registry server."""
        registries = (self.store.registry, self.remote.registry)
        return {view.name for one in registries for view in one.list_all_feature_views("liver_care", allow_cache=True)}


def _is_evidence(name: str) -> bool:
    inside = name.partition("/")[2]
    return inside.startswith(_EVIDENCE) or "__pycache__" in name or name.endswith(("-wal", "-shm", "/lock"))


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory, sources: Path) -> Iterator[Doors]:
    from feast.feature_server import get_app as feature_app
    from feast.offline_server import OfflineServer
    from feast.registry_server import start_server
    from feast.ui_server import get_app as ui_app

    path = tmp_path_factory.mktemp("doors") / "repository"
    shutil.copytree(EXAMPLE, path, ignore=shutil.ignore_patterns("data", "variants", "prepare", "training", "*.md"))
    shutil.copytree(sources, path / "data" / "sources")
    repository = Repository(path)
    store = repository.apply()
    columns = ["patient_id", "event_timestamp", "bilirubin_mg_dl"]
    pq.write_table(pq.read_table(path / "data/sources/laboratory.parquet", columns=columns), path / ARRIVALS)
    store.apply(_pushed(store))
    store.materialize(*SPAN, feature_views=["laboratory"])
    port = free_port()
    registry = start_server(repository.store(), port, wait_for_termination=False)
    governed = {"type": "api.feast.GovernedOfflineStore", "store": {"type": "duckdb"}}
    repository.configure(lambda document: document.update(offline_store=governed), "governed_store.yaml")
    servers = {
        "offline": OfflineServer(repository.store(), "grpc://127.0.0.1:0"),
        "governed offline": OfflineServer(repository.store("governed_store.yaml"), "grpc://127.0.0.1:0"),
    }
    flights = [threading.Thread(target=one.serve) for one in servers.values()]
    for flight in flights:
        flight.start()
    web = {name: _Web(app) for name, app in (("feature", feature_app(repository.store())), ("ui", _ui(ui_app, path)))}
    addresses = {name: one.address for name, one in web.items()}
    try:
        yield Doors(
            repository, store, {"registry": port, **{name: one.port for name, one in servers.items()}, **addresses}
        )
    finally:
        for one in web.values():
            one.stop()
        for one, flight in zip(servers.values(), flights, strict=True):
            one.shutdown()
            flight.join()
        registry.stop(None).wait()


def _ui(make: Any, path: Path) -> Any:
    with warnings.catch_warnings():  # Feast asks FastAPI for what that has deprecated
        warnings.simplefilter("ignore")
        return make(Repository(path).store(), "liver_care")


def _pushed(store: Any) -> list[Any]:
    from feast import FeatureView, Field, FileSource, PushSource
    from feast.types import Float64, Int64

    said: dict[str, Any] = {"owner": OWNER, "tags": TAGS}
    file = FileSource(name="arrivals_file", path=ARRIVALS, timestamp_field="event_timestamp", **said)
    push = PushSource(name="arrivals_push", batch_source=file, **said)
    schema = [Field(name="patient_id", dtype=Int64), Field(name="bilirubin_mg_dl", dtype=Float64)]
    patient = [store.get_entity("patient")]
    view = FeatureView(
        name="arrivals", entities=patient, ttl=timedelta(days=9), schema=schema, source=push, online=True, **said
    )
    return [file, push, view]


class _Web:
    """A server of Feast under uvicorn, on a free port of this machine."""

    def __init__(self, app: Any) -> None:
        import uvicorn

        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self._server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical"))
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise AssertionError("the server did not start")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def acting_for(monkeypatch: pytest.MonkeyPatch) -> Any:
    """State the purpose of this process, of which the servers' threads are part."""

    def act(purpose: str | None) -> None:
        if purpose is not None:
            monkeypatch.setenv("PROVENDER_PURPOSE", purpose)
        assert os.environ.get("PROVENDER_PURPOSE") == purpose

    return act
