"""A governed registry in a directory, on S3 and in SQL: the same life, whoever comes beside and whoever is killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from governance.errors import AnswerIsNo, Denied, WrongQuestion
from lineage.refs import Refs, open_refs
from lineage.sources.s3 import S3Access
from tests.api.feast.views import follow_up_view
from tests.postgresql import new_database, postgresql_server
from tests.processes import let_go, started
from tests.seaweedfs import S3Server, running_seaweedfs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # boto3 leaves its connections to the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # as does SQLAlchemy's pool
]
BUCKET = "registries"
PLACES = ("data/registry", f"s3://{BUCKET}/liver", "sqlite:///data/registry.db")


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with running_seaweedfs() as server, closing(server.client()) as client:
        client.create_bucket(Bucket=BUCKET)
        yield server


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgresql_server() as server:
        yield server


@pytest.fixture
def credentials(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    monkeypatch.setenv("AWS_REGION", s3.region)


@pytest.fixture(params=[*PLACES, pytest.param("postgresql", marks=pytest.mark.system)])
def placed(request: pytest.FixtureRequest, repository: Any) -> tuple[Any, Refs]:
    """A repository with its registry in such a place, nothing applied yet; and what lies there."""
    location: str = request.param
    if location == "postgresql":
        location = new_database(request.getfixturevalue("postgres"))
        repository.configure(lambda document: document["governance"].update(database=location))
    if location.startswith("s3://"):
        request.getfixturevalue("credentials")
        location = f"{location}/{repository.path.parent.name}"
    repository.configure(lambda document: document["registry"].update(path=location))
    policy = repository.path / "policy.yaml"
    zones = ('"s3+http://127.0.0.1:*/registries/**"', '"postgresql://127.0.0.1:*/**"')
    places = "\n".join(f"  - {{match: {one}, zone: DE}}" for one in zones)
    policy.write_text(policy.read_text().replace("\npacks:", f"\n{places}\npacks:"))
    return repository, open_refs(location, base=repository.path, access=S3Access())


def test_a_registry_lives_the_same_life_wherever_it_lies(placed: tuple[Any, Refs]) -> None:
    repository, refs = placed
    first = repository.apply()
    second = repository.store()
    assert _views(second) == {"laboratory", "demographics"}
    one, other = follow_up_view(first, "one"), follow_up_view(second, "other")
    first.apply(one)
    second.registry.apply_data_source(other[0], second.project, commit=False)
    second.registry.apply_feature_view(other[1], second.project)
    assert _views(repository.store()) == {"laboratory", "demographics", "one", "other"}
    with pytest.raises(Denied, match=r"ownership\.owner"):
        second.apply(follow_up_view(second, "careless", owner=""))
    assert _views(repository.store()) == {"laboratory", "demographics", "one", "other"}
    assert refs.read("next.json") is None

    old = refs.read("head.json")
    second.apply(follow_up_view(second, "third"))
    late = refs.read("head.json")
    assert refs.swap("head.json", late, old)
    with pytest.raises(AnswerIsNo, match="an older one was put back"):
        repository.store().list_feature_views()
    assert refs.swap("head.json", old, late)

    second.teardown()
    assert repository.store().list_feature_views() == []
    assert _views(repository.apply()) == {"laboratory", "demographics"}


APPLY = """
import sys
from pathlib import Path
from tests.api.feast.conftest import Repository
from tests.api.feast.views import follow_up_view
store = Repository(Path(sys.argv[1])).store()
objects = follow_up_view(store, sys.argv[2])
print("ready", flush=True)
input()
store.apply(objects)
"""


def test_processes_that_apply_at_once_lose_nothing(placed: tuple[Any, Refs]) -> None:
    repository, _ = placed
    repository.apply()
    ends = let_go(started(APPLY, repository.path, f"view_{number}") for number in range(2))
    assert [code for code, _ in ends] == [0, 0], ends
    assert _views(repository.store()) == {"laboratory", "demographics", "view_0", "view_1"}


KILLED = """
import os, signal, sys
from pathlib import Path
from api.feast.registry_commits import RegistryCommits
from lineage.alone import alone
from tests.api.feast.conftest import Repository
from tests.api.feast.views import follow_up_view

def killed(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

store = Repository(Path(sys.argv[1])).store()
objects = follow_up_view(store, "late")
parts = next(iter(__import__("api.feast.registry_store").feast.registry_store._OPEN)).gate.parts
if sys.argv[2] == "record":
    type(parts.recorder).record = killed
else:
    RegistryCommits._complete = killed
store.apply(objects)
"""


@pytest.mark.parametrize(("step", "there"), [("record", False), ("head", True)], ids=["no record", "no head"])
def test_a_commit_that_is_killed_happened_if_its_decision_is_recorded(
    placed: tuple[Any, Refs], step: str, *, there: bool
) -> None:
    repository, refs = placed
    repository.apply()
    process = started(KILLED, repository.path, step)
    _, said = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, said
    assert refs.read("next.json") is not None
    now = repository.store()
    assert ("late" in _views(now)) == there
    now.apply(follow_up_view(now, "later"))
    assert _views(repository.store()) >= {"later", *(["late"] if there else [])}
    assert refs.read("next.json") is None


def test_an_old_version_is_read_where_it_lies(placed: tuple[Any, Refs]) -> None:
    from api.feast.registry_history import open_history

    repository, _ = placed
    store = repository.apply()
    store.apply(follow_up_view(store, "late"))
    history = open_history(repository.path)
    before, after = history.versions
    changed = {one.key for one in history.definitions(after).assets} - {
        one.key for one in history.definitions(before).assets
    }
    assert changed == {"feature_view:late", "data_source:late_export"}
    repository.configure(lambda document: document["registry"].update(version=before.definitions))
    assert _views(repository.store()) == {"laboratory", "demographics"}


@pytest.mark.usefixtures("credentials")
def test_a_bucket_that_is_gone_is_one_sentence(repository: Any) -> None:
    repository.configure(lambda document: document["registry"].update(path="s3://nowhere-at-all/liver"))
    with pytest.raises(WrongQuestion, match="There is no bucket 'nowhere-at-all'"):
        repository.apply()


def _views(store: Any) -> set[str]:
    return {view.name for view in store.list_feature_views()}
