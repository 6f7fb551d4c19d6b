"""Python programs that tests start beside themselves, to be killed or to come at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def started(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that runs ``code``."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def let_go(processes: Iterable[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """Let processes that print ``ready`` and then wait for a line go on at once; how each ended and what it said."""
    waiting = list(processes)
    for process in waiting:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.stderr and process.stderr.read()
    for process in waiting:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return [(process.wait(300), process.communicate()[1]) for process in waiting]
