"""The example repository as the tests use it: a copy with its sources made, and its code loaded by path."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

REPOSITORY = Path(__file__).resolve().parents[2] / "feature_repo"

PROGRAM = """
import json, sys
from pathlib import Path
repository = Path.cwd()
sys.path.append(str(repository))
from feast import FeatureStore, RepoConfig
from feast.repo_operations import get_repo_files, parse_repo
from feast.transformation.udf_rehydrate import resolve_udf

contents = parse_repo(repository)
objects = [*contents.data_sources, *contents.entities, *contents.feature_views,
           *contents.on_demand_feature_views, *contents.feature_services]
store = FeatureStore(config=RepoConfig(
    project="liver_care", provider="local", registry="data/plain.db", repo_path=repository,
    online_store={"type": "sqlite", "path": "data/plain-online.db"}, entity_key_serialization_version=3))
store.apply(objects)
(score,) = contents.on_demand_feature_views
(service,) = contents.feature_services
udf = resolve_udf(udf_string=score.feature_transformation.udf_string)

def made_from(one):
    if hasattr(one, "batch_source"):
        return {"data_source:" + one.batch_source.name: None}
    projections = getattr(one, "feature_view_projections", None)
    if projections is None:
        projections = getattr(one, "source_feature_view_projections", {}).values()
    on_demand = {score.name}
    return {("on_demand_" if p.name in on_demand else "") + "feature_view:" + p.name: [f.name for f in p.features]
            for p in projections}

print("RESULT" + json.dumps({
    "files": [str(path.relative_to(repository)) for path in get_repo_files(repository)],
    "objects": {type(o).__name__ + ":" + o.name: {
        "tags": dict(o.tags), "owner": o.owner, "made_from": made_from(o), "path": getattr(o, "path", None),
        "ttl_seconds": int(o.ttl.total_seconds()) if getattr(o, "ttl", None) is not None else None,
        "online": getattr(o, "online", None)} for o in objects if o.name != "__dummy"},
    "albi": udf({"bilirubin_mg_dl": [1.0, 14.5, 0.0, None, 2.0], "albumin_g_dl": [4.0, 2.6, 4.0, 4.0, None]}),
}))
"""


def _parse(repository: Path) -> Any:
    """What plain Feast makes of a repository, in a process of its own: Feast imports files by bare name."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=repository,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.rsplit("RESULT", 1)[1])


@pytest.fixture(scope="session")
def parsed(repository: Path) -> Any:
    return _parse(repository)


@pytest.fixture(scope="session")
def refused(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same with the variant laid over it, as the demo does."""
    copy = tmp_path_factory.mktemp("refused") / "feature_repo"
    shutil.copytree(repository, copy)
    shutil.copytree(repository / "variants" / "refused", copy, dirs_exist_ok=True)
    return _parse(copy)


def _load(path: Path) -> Iterator[ModuleType]:
    """Feast ignores these modules and no package holds them: load them as the demo does, by their path."""
    name = f"feature_repo_{path.stem}"
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules[name]


@pytest.fixture(scope="session")
def sources_module() -> Iterator[Any]:
    yield from _load(REPOSITORY / "prepare" / "sources.py")


@pytest.fixture(scope="session")
def spine_module() -> Iterator[Any]:
    yield from _load(REPOSITORY / "prepare" / "spine.py")


@pytest.fixture(scope="session")
def liver_risk() -> Iterator[Any]:
    yield from _load(REPOSITORY / "training" / "liver_risk.py")


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory, sources_module: Any) -> Path:
    """A copy of the example with its sources made."""
    copy = tmp_path_factory.mktemp("example") / "feature_repo"
    shutil.copytree(REPOSITORY, copy, ignore=shutil.ignore_patterns("data", "__pycache__"))
    sources_module.make_sources(copy)
    return copy


@pytest.fixture(scope="session")
def features(repository: Path, spine_module: Any) -> pa.Table:
    """What the feature service gives for the spine, joined here by hand: every visit has its own results."""
    folder = repository / "data" / "sources"
    spine = spine_module.liver_spine(folder / "laboratory.parquet", folder / "follow_up.parquet").to_pylist()
    laboratory = {
        (row.pop("patient_id"), row.pop("event_timestamp").date()): row
        for row in pq.read_table(folder / "laboratory.parquet").drop(["created_timestamp"]).to_pylist()
    }
    people = {row["patient_id"]: row for row in pq.read_table(folder / "demographics.parquet").to_pylist()}
    rows = []
    for row in spine:
        values = laboratory[row["patient_id"], row["event_timestamp"].date()]
        person = people[row["patient_id"]]
        albi = 0.66 * math.log10(values["bilirubin_mg_dl"] * 17.104) - 0.85 * values["albumin_g_dl"]
        rows.append(
            row
            | values
            | {"age_at_enrolment_years": person["age_at_enrolment_years"], "sex": person["sex"], "albi": round(albi, 6)}
        )
    return pa.Table.from_pylist(rows)
