"""Governed copies of the example repository, used through Feast's SDK in this process and through its command line."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from api.assembly import Provender, opened
from lineage.records import StoredRecord
from tests.answers import Answer

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "feature_repo"

# Feast warns of its own experimental features and old pydantic models, and its libraries of themselves.
IGNORED = (
    "ignore::RuntimeWarning:feast",
    "ignore::DeprecationWarning",
    "ignore::PendingDeprecationWarning",
    "ignore::FutureWarning",
    "ignore::UserWarning:dask",
    "ignore::ResourceWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for one in IGNORED:
                item.add_marker(pytest.mark.filterwarnings(one))


@dataclass
class Repository:
    """A governed Feast repository."""

    path: Path

    def store(self, yaml_file: str | None = None) -> Any:
        from feast import FeatureStore

        return FeatureStore(repo_path=str(self.path), fs_yaml_file=self.path / yaml_file if yaml_file else None)

    def objects(self) -> list[Any]:
        """What the repository's files define, as ``feast apply`` finds them."""
        from feast.repo_operations import parse_repo

        here = Path.cwd()
        sys.path.append(str(self.path))
        os.chdir(self.path)  # Feast names modules relative to it
        try:
            found = parse_repo(self.path)
        finally:
            os.chdir(here)
            sys.path.remove(str(self.path))
            self.forget()
        kinds = ("data_sources", "entities", "feature_views", "on_demand_feature_views", "feature_services")
        return [each for kind in kinds for each in getattr(found, kind)]

    def forget(self) -> None:
        """Let no later repository get this one's modules for its own."""
        for name in [one for one in sys.modules if one.startswith("liver_")]:
            del sys.modules[name]

    def apply(self, store: Any | None = None) -> Any:
        store = store or self.store()
        store.apply(self.objects())
        return store

    def configure(self, change: Callable[[dict[str, Any]], None], name: str = "feature_store.yaml") -> None:
        document = yaml.safe_load((self.path / "feature_store.yaml").read_text())
        change(document)
        (self.path / name).write_text(yaml.safe_dump(document, sort_keys=False))

    @property
    def parts(self) -> Provender:
        return opened(self.path)

    def records(self, kind: str) -> list[StoredRecord]:
        return list(self.parts.records.all(kind)) if (self.path / "data/provender.db").exists() else []

    def predicates(self, kind: str) -> list[dict[str, Any]]:
        return [record.predicate for record in self.records(kind)]

    @property
    def decisions(self) -> list[tuple[str, str]]:
        """Gate and outcome of each recorded decision."""
        return [(one["gate"], one["outcome"]) for one in self.predicates("decision")]

    @property
    def head(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.path / "data/registry/head.json").read_bytes())
        return value

    @property
    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.path / "data/registry/versions").iterdir())

    def invoke(self, *arguments: str) -> Any:
        """Feast's command line in this process: the same code, without ten seconds of imports."""
        from click.testing import CliRunner
        from feast.cli.cli import cli

        here, path = Path.cwd(), list(sys.path)
        sys.path.append(str(self.path))
        try:
            return CliRunner().invoke(cli, arguments)
        finally:
            os.chdir(here)  # Feast goes to the repository and stays there, on sys.path too
            sys.path[:] = path
            self.forget()

    def cli(self, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Any:
        return subprocess.run(
            [str(Path(sys.executable).with_name("feast")), *arguments],
            cwd=cwd or self.path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's source files, made once."""
    made = _module(EXAMPLE / "prepare" / "sources.py")
    place = tmp_path_factory.mktemp("sources")
    made.make_sources(place)
    return place / "data" / "sources"


@pytest.fixture(scope="session")
def liver_spine(sources: Path) -> pd.DataFrame:
    """The example's spine with its origin: 1,000 and more rows, with labels."""
    from lineage import spine

    code = _module(EXAMPLE / "prepare" / "spine.py").liver_spine
    files = [sources / "laboratory.parquet", sources / "follow_up.parquet"]
    return spine(code(*files), made_from=files, code=code)


@pytest.fixture
def make_repository(tmp_path: Path, sources: Path) -> Callable[..., Repository]:
    def make(name: str = "repository") -> Repository:
        copy = tmp_path / name
        shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("data", "variants", "prepare", "training", "*.md"))
        shutil.copytree(sources, copy / "data" / "sources")
        shutil.rmtree(copy / "__pycache__", ignore_errors=True)
        return Repository(copy)

    return make


@pytest.fixture
def repository(make_repository: Callable[..., Repository]) -> Repository:
    return make_repository()


@pytest.fixture
def applied(repository: Repository) -> tuple[Repository, Any]:
    return repository, repository.apply()


@pytest.fixture
def provender(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """The command in this process: the same code, without ten seconds of imports."""
    from api.cli.main import main

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["provender", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return Answer(int(stopped.value.code or 0), said.out, said.err)

    return run


@pytest.fixture(autouse=True)
def no_stated_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROVENDER_PURPOSE", raising=False)
    monkeypatch.delenv("FEATURE_STORE_YAML_BASE64", raising=False)


def _module(path: Path) -> Any:
    name = f"example_{path.stem}"
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module
