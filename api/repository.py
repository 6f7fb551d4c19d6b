"""Which commit of its repository a definition was applied from."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any


def git_state(directory: Path) -> dict[str, Any]:
    """``{"commit", "dirty"}`` of the git work tree around ``directory``; both None where there is none."""
    commit = _git(directory, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    changes = _git(directory, "status", "--porcelain", "--", ".")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(directory), *arguments], capture_output=True, text=True, timeout=20, check=True)  # noqa: S603, S607 - fixed arguments; git is looked up like any user's git
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
