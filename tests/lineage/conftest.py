"""What several tests of lineage need: another Python process that runs code of the tests, and an S3."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.seaweedfs import S3Server, running_seaweedfs

ROOT = Path(__file__).parents[2]
Spawn = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A real S3 on loopback, one for all tests; each makes buckets of its own."""
    with running_seaweedfs() as server:
        yield server


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts Python with this code, from the root of the repository; ends what still runs after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True, **pipes)  # type: ignore[call-overload] # two pipes
        started.append(process)
        return process  # type: ignore[no-any-return] # the overload that mypy cannot choose above

    yield start
    for process in started:
        process.kill()
        process.communicate()
