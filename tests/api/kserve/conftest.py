"""The hospital's repository, made once: applied and materialized in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from api.assembly import assemble
from api.settings import load_settings
from tests.api.kserve.hospital import PROGRAM, ROOT, Hospital, signed_artifact


@pytest.fixture(scope="session")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    repo = tmp_path_factory.mktemp("hospital") / "feature_repo"
    shutil.copytree(ROOT / "feature_repo", repo, ignore=shutil.ignore_patterns("data", "variants", "__pycache__"))
    policy = repo / "policy.yaml"  # these weights are made up: no recorded training says what they learned
    policy.write_text(f"{policy.read_text()}\nlevels: {{residency.required: {{deploy: warn}}}}\n")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=repo,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    parts = assemble(load_settings(repo))
    yield Hospital(parts, signed_artifact(parts, seed=1))
    parts.engine.dispose()
