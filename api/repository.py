"""Which commit of its repository a definition was applied from."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any


def git_state(directory: Path) -> dict[str, Any]:
    """``{"commit", "dirty"}`` of the git work tree around ``directory``; both None where there is none.

    A directory of which git tracks no file (an ignored copy, say) is dirty: its files are not those of the commit.
    """
    commit = _git(directory, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    changes = _git(directory, "status", "--porcelain", "--", ".")
    tracked = _git(directory, "ls-files", "--", ".")
    return {"commit": commit, "dirty": None if changes is None else bool(changes) or not tracked}


def _git(directory: Path, *arguments: str) -> str | None:
    # Git's own variables (set in its hooks) name another repository; no lock, so that a reader disturbs nobody.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "-C", str(directory), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments; git is looked up like any user's git
            command, capture_output=True, text=True, timeout=20, check=True, env=environment
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()
