"""Feast's quickstart, as `feast init` really makes it, governed by the lines of docs/quickstart.md."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.feast.conftest import ROOT
from tests.api.feast.doors.conftest import free_port

PAGE = (ROOT / "docs" / "quickstart.md").read_text()
READ = {
    "feature_service": "driver_activity_v1",
    "entities": {"driver_id": [1001], "val_to_add": [1], "val_to_add_2": [2]},
}

pytestmark = pytest.mark.slow


def _blocks(kind: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return [text for said, text in fenced if said == kind]


def _run(place: Path, *command: str, code: int = 0) -> str:
    script = Path(sys.executable).with_name(command[0])
    done = subprocess.run(
        [script, *command[1:]], cwd=place, env=_environment(place), capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def _environment(place: Path) -> dict[str, str]:
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)), str(place)]
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # where `feast` is
    return {**os.environ, "PATH": programs, "PYTHONPATH": os.pathsep.join(paths), "PYTHONWARNINGS": "ignore"}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("quickstart")
    _run(place, "feast", "init", "quick")
    repo = place / "quick" / "feature_repo"
    for diff in _blocks("diff"):
        subprocess.run(["git", "apply", "-p1", "--unidiff-zero", "-"], cwd=repo, input=diff, text=True, check=True)
    (policy,) = _blocks("yaml")
    (repo / "policy.yaml").write_text(policy)
    return repo


@pytest.fixture(scope="module")
def applied(quick: Path) -> Path:
    said = _run(quick, "feast", "apply")
    assert "Deploying infrastructure for" in said
    return quick


def test_its_plan_is_its_apply(quick: Path) -> None:
    assert _run(quick, "provender", "plan").endswith("feast apply would be allowed: no findings.\n")


def test_its_commands_and_its_program_work_unchanged(applied: Path) -> None:
    _run(applied, "feast", "materialize-incremental", "2026-11-24T00:00:00")
    copy = applied.with_name("whole")
    shutil.copytree(applied, copy)
    said = _run(copy, "python", "test_workflow.py")
    assert "conv_rate_plus_val1" in said
    assert "[3 rows x 13 columns]" in said
    assert re.search(r"^driver_config  :  \[\{'max_distance_km': 500", said, flags=re.MULTILINE)  # which it pushed
    assert _run(copy, "provender", "snapshot", "list").count("random:") == 2
    log = json.loads(_run(copy, "provender", "registry", "log", "--json"))
    assert [one["gate"] for one in log] == ["teardown", "apply"]


@pytest.fixture
def server(applied: Path) -> Iterator[str]:
    port = free_port()
    command = [str(Path(sys.executable).with_name("feast")), "serve", "-p", str(port)]
    running = subprocess.Popen(
        command, cwd=applied, env=_environment(applied), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(timeout=30)


def _asked(server: str) -> httpx.Response:
    while True:
        try:
            return httpx.post(f"{server}/get-online-features", json=READ, timeout=60)
        except httpx.ConnectError:
            time.sleep(0.2)  # until it listens; the test's own limit ends a server that never does


def test_its_server_answers(server: str) -> None:
    answer = _asked(server)
    assert answer.status_code == 200, answer.text
    assert answer.json()["metadata"]["feature_names"][:2] == ["driver_id", "conv_rate"]


def test_without_a_tag_it_is_refused_in_the_words_of_the_page(applied: Path) -> None:
    definitions = applied / "feature_definitions.py"
    kept = definitions.read_text()
    untagged = re.sub(r'(name="vals_to_add",\n) *tags=.*\n', r"\1", kept)
    assert untagged != kept
    definitions.write_text(untagged)
    try:
        said = _run(applied, "feast", "apply", code=1)
    finally:
        definitions.write_text(kept)
    (expected,) = [block for block in _blocks("") if block.startswith("apply denied")]
    assert expected in said
