"""``provender snapshot diff`` in a repository: what it prints, and its exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest

from api.assembly import Provender, opened
from api.cli.main import main
from lineage.recorder import Act, Subject
from lineage.snapshots import Snapshot
from lineage.td1 import CHUNK_ROWS

ROWS = 2 * CHUNK_ROWS
TABLE = pa.table({"patient": pa.array(range(ROWS), pa.int64()), "alb": pa.array([4.5]).take(pa.array([0] * ROWS))})
CHANGED = TABLE.set_column(1, "alb", pa.array([4.5] * (ROWS - 1) + [None]))
MANIFEST: dict[str, Any] = {
    "created": "2026-01-01T00:00:00.000000Z",
    "definitions": "ab" * 32,
    "sources": [],
    "nulls": {},
    "validation": [],
}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    text = "project: clinic\nregistry: data/registry\ngovernance: {policy: policy.yaml}\n"
    (tmp_path / "feature_store.yaml").write_text(text)
    return tmp_path


def put(repo: Path, table: pa.Table, *, recorded: bool = True) -> str:
    """Store a table as a retrieval does, and record that."""
    parts = opened(repo)
    snapshot, document = parts.snapshots.put(table, run=str(uuid4()), manifest=MANIFEST)
    if recorded:
        _record(parts, snapshot, document)
    return snapshot.id


def _record(parts: Provender, snapshot: Snapshot, document: bytes) -> None:
    algorithm, digits = snapshot.id.split(":")
    said = {
        "run": snapshot.run_id,
        "state": "COMPLETE",
        "snapshot": snapshot.id,
        "manifest": sha256(document).hexdigest(),
    }
    subject = Subject(f"snapshot:{snapshot.run_id}", algorithm, digits)
    parts.recorder.record(Act(kind="retrieval", actor="me", subjects=(subject,), predicate=said))


@pytest.fixture
def ask(
    repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """The command in this process: exit code, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["provender", "snapshot", "diff", "--repo", str(repo), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def test_a_snapshot_equals_itself(repo: Path, ask: Callable[..., tuple[int, str, str]]) -> None:
    name = put(repo, TABLE)
    code, out, _ = ask(name, name)
    assert (code, out) == (0, "The same content: both have one digest.\n")


def test_another_content_is_told_by_column_and_rows_without_any_value(
    repo: Path, ask: Callable[..., tuple[int, str, str]]
) -> None:
    code, out, _ = ask(put(repo, TABLE), put(repo, CHANGED))
    assert code == 1
    assert out.splitlines() == ["rows         131,072", "differs      alb, in rows 65,536-131,071"]


def test_the_rows_are_shown_on_demand(repo: Path, ask: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = ask(put(repo, TABLE), put(repo, CHANGED), "--rows", "3")
    assert code == 1
    assert out.splitlines()[2:] == ["row 131,071 (changed)", "  alb: 4.5 in A, null in B"]


def test_json_is_one_document(repo: Path, ask: Callable[..., tuple[int, str, str]]) -> None:
    left, right = put(repo, TABLE), put(repo, CHANGED.append_column("site", pa.array(["DE"] * ROWS)))
    code, out, err = ask(left, right, "--json")
    changed = {"column": "alb", "chunks": [1], "rows": [[CHUNK_ROWS, ROWS - 1]]}
    expected = {
        "left": left,
        "right": right,
        "equal": False,
        "rows": [ROWS, ROWS],
        "added": [{"column": "site", "type": "utf8"}],
        "removed": [],
        "retyped": [],
        "changed": [changed],
    }
    assert (code, json.loads(out), err) == (1, expected, "")
    _, out, _ = ask(left, right, "--json", "--rows", "1")
    row = {"row": ROWS - 1, "standing": "changed", "cells": {"alb": [4.5, None]}}
    assert json.loads(out) == {**expected, "differing_rows": [row]}


def test_small_snapshots_with_random_names_are_compared_by_their_recorded_digests(
    repo: Path, ask: Callable[..., tuple[int, str, str]]
) -> None:
    small = [put(repo, TABLE.slice(start, 3)) for start in (0, 0, 1)]
    assert all(name.startswith("random:") for name in small)
    assert ask(small[0], small[1])[0] == 0
    assert ask(small[0], small[2])[0] == 1


def test_what_is_not_recorded_is_refused_as_everywhere(repo: Path, ask: Callable[..., tuple[int, str, str]]) -> None:
    name, stray = put(repo, TABLE), put(repo, CHANGED, recorded=False)
    code, out, err = ask(name, stray)
    assert (code, out) == (1, "")
    assert "is not recorded" in err


@pytest.mark.parametrize("other", ["td1-sha256:" + "0" * 64, "latest"])
def test_a_question_about_nothing_is_wrong(repo: Path, ask: Callable[..., tuple[int, str, str]], other: str) -> None:
    code, out, err = ask(put(repo, TABLE), other)
    assert (code, out) == (2, "")
    assert "snapshot" in err
