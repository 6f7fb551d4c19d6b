"""Which commit a repository stands at."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from api.repository import git_state


def _git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t.example"]
    command = ["git", "-C", str(directory), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "views.py").write_text("")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-q", "-m", "views")
    return tmp_path / "repo"


def test_a_clean_work_tree_is_its_commit(committed: Path) -> None:
    assert git_state(committed) == {"commit": _git(committed, "rev-parse", "HEAD"), "dirty": False}


def test_a_change_below_the_repository_makes_it_dirty(committed: Path) -> None:
    (committed.parent / "elsewhere.txt").write_text("")
    assert git_state(committed)["dirty"] is False
    (committed / "views.py").write_text("changed")
    assert git_state(committed)["dirty"] is True


def test_no_work_tree_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) == {"commit": None, "dirty": None}


def test_a_work_tree_without_commits_is_no_commit(tmp_path: Path) -> None:
    _git(tmp_path, "init", "-q")
    assert git_state(tmp_path) == {"commit": None, "dirty": None}


def test_git_s_own_variables_do_not_lead_elsewhere(committed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = git_state(committed)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert git_state(committed) == expected


def test_without_git_nothing_is_claimed(committed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_state(committed) == {"commit": None, "dirty": None}


def test_a_directory_that_git_ignores_is_not_what_was_committed(committed: Path) -> None:
    (committed / ".gitignore").write_text("/copy/\n")
    (committed / "copy").mkdir()
    (committed / "copy" / "views.py").write_text("")
    _git(committed, "add", ".")
    _git(committed, "commit", "-q", "-m", "ignore")
    assert git_state(committed / "copy") == {"commit": _git(committed, "rev-parse", "HEAD"), "dirty": True}
