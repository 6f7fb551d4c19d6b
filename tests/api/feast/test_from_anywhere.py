"""From another directory, with another YAML file, with the configuration in the environment: the same verdicts."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from governance.errors import Denied
from tests.answers import Answer

FRANCE = {"type": "sqlite", "path": "data/mirror-fr/online.db"}
SAID = "mirror-fr/online.db lies in FR; allowed: DE"


def _abroad(repository: Any, name: str) -> Path:
    repository.configure(lambda document: document.update(online_store=FRANCE), name)
    return Path(repository.path / name)


def _sdk(repository: Any, store: Any) -> str:
    with pytest.raises(Denied) as refusal:
        repository.apply(store)
    return str(refusal.value)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another working directory, with a configuration of its own that nobody may take for the repository's."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    (place / "feature_store.yaml").write_text("project: decoy\nregistry: decoy.db\nprovider: local\n")
    (place / "policy.yaml").write_text("version: 1\npacks: [ownership]\n")
    monkeypatch.chdir(place)
    return place


def test_another_working_directory_gives_the_same_verdict(
    repository: Any, provender: Callable[..., Answer], elsewhere: Path
) -> None:
    _abroad(repository, "feature_store.yaml")
    before = sorted(elsewhere.rglob("*"))
    plan = provender("plan", "--repo", repository.path)
    done = repository.invoke("-c", str(repository.path), "apply")
    said = _sdk(repository, repository.store())
    assert (plan.code, done.exit_code) == (1, 1)
    assert all(SAID in text for text in (plan.out, done.output, said))
    assert said in done.output
    assert sorted(elsewhere.rglob("*")) == before
    assert not (repository.path / "data/mirror-fr").exists()


def test_another_file_gives_the_same_verdict_at_every_entry(
    repository: Any, provender: Callable[..., Answer], elsewhere: Path
) -> None:
    file = _abroad(repository, "other.yaml")
    plan = provender("plan", "--repo", repository.path, "-f", file)
    done = repository.invoke("-c", str(repository.path), "-f", str(file), "apply")
    said = _sdk(repository, repository.store("other.yaml"))
    assert (plan.code, done.exit_code) == (1, 1)
    assert all(SAID in text for text in (plan.out, done.output, said))
    assert provender("plan", "--repo", repository.path).code == 0
    assert not (repository.path / "data/mirror-fr").exists()
    assert not (elsewhere / "decoy.db").exists()


@pytest.mark.usefixtures("elsewhere")
def test_the_configuration_of_the_environment_gives_the_same_verdict(
    repository: Any, provender: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Feast's own ``apply`` wants a file; its SDK and its servers take the environment's configuration."""
    from feast import FeatureStore

    from api.feast.configuration import read_configuration

    file = _abroad(repository, "feature_store.yaml")
    monkeypatch.setenv("FEATURE_STORE_YAML_BASE64", base64.b64encode(file.read_bytes()).decode())
    file.unlink()
    plan = provender("plan", "--repo", repository.path)
    store = FeatureStore(repo_path=str(repository.path), config=read_configuration(repository.path))
    assert plan.code == 1
    assert SAID in plan.out
    assert SAID in _sdk(repository, store)
    assert not (repository.path / "data/mirror-fr").exists()


def test_a_plan_by_the_environment_is_that_of_the_file(
    applied: Any, provender: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, _ = applied
    by_file = provender("plan", "--repo", repository.path, "--json").document
    file = repository.path / "feature_store.yaml"
    monkeypatch.setenv("FEATURE_STORE_YAML_BASE64", base64.b64encode(file.read_bytes()).decode())
    file.unlink()
    assert provender("plan", "--repo", repository.path, "--json").document == by_file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("%", "FEATURE_STORE_YAML_BASE64 is not base64 of a YAML file"),
        (base64.b64encode(b"project: [").decode(), "Feast cannot read FEATURE_STORE_YAML_BASE64: "),
    ],
    ids=["no base64", "no YAML"],
)
def test_an_environment_that_holds_no_configuration_is_one_sentence(
    repository: Any, provender: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    (repository.path / "feature_store.yaml").unlink()
    monkeypatch.setenv("FEATURE_STORE_YAML_BASE64", text)
    answer = provender("plan", "--repo", repository.path)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(said)
