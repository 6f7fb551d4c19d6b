"""``lineage.open_snapshot`` finds the repository that is meant, or says what to pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lineage
from governance.errors import ConfigurationError
from lineage import repositories
from lineage.errors import UnknownSnapshot


class Shelf:
    """Stands for the recorded snapshots of a repository."""

    def __init__(self, name: str) -> None:
        self.name = name

    def open(self, name: str) -> Any:
        if name != "mine":
            raise UnknownSnapshot(name)
        return f"{name} of {self.name}"


class KnownOpener:
    """Stands for the entry point of whoever opens repositories."""

    def load(self) -> Any:
        return lambda repo: Shelf(f"opened {repo.name}")


@pytest.fixture(autouse=True)
def _nothing_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repositories, "_opened", {})


def remember(path: Path) -> None:
    repositories.remember(path, lambda: Shelf(path.name))  # type: ignore[arg-type, return-value] # it only opens


def opened(name: str, **where: Any) -> Any:
    """What the shelf gives stands for an open snapshot."""
    return lineage.open_snapshot(name, **where)


def test_the_only_repository_that_is_open_is_meant(tmp_path: Path) -> None:
    remember(tmp_path / "a")
    assert opened("mine") == "mine of a"
    with pytest.raises(UnknownSnapshot):
        lineage.open_snapshot("theirs")


def test_of_several_one_has_to_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        remember(tmp_path / name)
    with pytest.raises(ConfigurationError, match=r"has opened .*/a, .*/b.*Pass the directory.*repo="):
        lineage.open_snapshot("mine")
    monkeypatch.chdir(tmp_path)
    for named in (tmp_path / "b", "b", "./a/../b"):
        assert opened("mine", repo=named) == "mine of b"


def test_where_none_is_open_one_has_to_be_named() -> None:
    with pytest.raises(ConfigurationError, match=r"has opened none.*repo="):
        lineage.open_snapshot("mine")


def test_another_one_is_opened_by_whoever_knows_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {repositories.GROUP: [KnownOpener()]}
    monkeypatch.setattr(repositories, "entry_points", lambda group: known[group])
    assert opened("mine", repo=tmp_path / "c") == "mine of opened c"


def test_where_nobody_knows_how_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repositories, "entry_points", lambda group: {repositories.GROUP: []}[group])
    with pytest.raises(ConfigurationError, match=r"provender\.repository.*pip install provender"):
        lineage.open_snapshot("mine", repo=tmp_path)
