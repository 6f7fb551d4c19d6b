"""A recorded retrieval, run again: bit-exact, or what differs and why."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.feast.reproduction import reproduce, sources_of_recorded
from lineage.errors import UnknownSnapshot

SERVICE = "liver_risk"


@pytest.fixture
def retrieved(applied: Any, liver_spine: Any) -> tuple[Any, Any, Any]:
    """A governed repository, its store and the snapshot of one retrieval."""
    repository, store = applied
    job = store.get_historical_features(liver_spine, features=store.get_feature_service(SERVICE))
    job.to_arrow()
    return repository, store, job.snapshot


def _laboratory(repository: Any) -> Path:
    return Path(repository.path) / "data" / "sources" / "laboratory.parquet"


def _rewritten(path: Path, change: Any) -> None:
    """Put another file in the place of ``path``, never a changed one: two repositories may share its inode."""
    table = change(pq.read_table(path))
    path.unlink()
    pq.write_table(table, path)


def test_the_same_rows_come_out_again_and_the_repetition_is_a_run_of_its_own(retrieved: Any) -> None:
    repository, _, snapshot = retrieved
    found = reproduce(repository.parts, snapshot.id)
    assert found.exact
    assert found.digest == snapshot.digest
    assert found.reasons == ()
    assert {one.standing for one in found.sources} == {"as recorded"}
    assert found.run != snapshot.run_id
    ended = [one for one in repository.predicates("retrieval") if one["state"] == "COMPLETE"]
    assert [one["run"] for one in ended] == [snapshot.run_id, found.run]
    assert ended[0]["snapshot"] == ended[1]["snapshot"]
    assert ended[0]["spine"]["digest"] == ended[1]["spine"]["digest"]


def test_definitions_of_the_time_are_asked_though_others_are_applied_since(retrieved: Any) -> None:
    repository, store, snapshot = retrieved
    view = store.get_feature_view("laboratory")
    view.tags["note"] = "changed"
    store.apply([view])
    assert repository.head["definitions"] != repository.predicates("retrieval")[-1]["definitions"]
    found = reproduce(repository.parts, snapshot.id)
    assert (found.exact, found.definitions) == (True, "as recorded")


def test_a_changed_source_is_named_as_the_reason_for_other_rows(retrieved: Any) -> None:
    repository, _, snapshot = retrieved

    def shifted(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index("albumin_g_dl")
        return table.set_column(at, "albumin_g_dl", pc.add(table.column(at), 0.5))

    _rewritten(_laboratory(repository), shifted)
    found = reproduce(repository.parts, snapshot.id)
    assert not found.exact
    assert found.digest not in (None, snapshot.digest)
    assert {one.name: one.standing for one in found.sources} == {
        "laboratory_results": "changed",
        "patient_register": "as recorded",
    }
    assert any("laboratory_results is changed" in reason for reason in found.reasons)


def test_a_source_that_is_gone_cannot_be_asked_again(retrieved: Any) -> None:
    repository, _, snapshot = retrieved
    _laboratory(repository).unlink()
    found = reproduce(repository.parts, snapshot.id)
    assert (found.exact, found.digest, found.run) == (False, None, None)
    assert "gone" in {one.standing for one in found.sources}


def test_sources_are_read_again_whatever_the_clock_of_a_file_says(retrieved: Any) -> None:
    repository, _, snapshot = retrieved
    assert {one.standing for one in sources_of_recorded(repository.parts, snapshot.id)} == {"as recorded"}
    path = _laboratory(repository)
    seen, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    standing = {one.name: one.standing for one in sources_of_recorded(repository.parts, snapshot.id)}
    assert standing["laboratory_results"] == "changed"


def test_the_command_answers_yes_or_no_and_says_why(retrieved: Any) -> None:
    repository, _, snapshot = retrieved
    arguments = [snapshot.id, "--repo", str(repository.path)]
    yes = CliRunner().invoke(app, ["snapshot", "reproduce", *arguments])
    assert yes.exit_code == 0, yes.output
    assert "Bit-exact: the retrieval gives the same rows again." in yes.output
    assert CliRunner().invoke(app, ["snapshot", "verify", "--sources", *arguments]).exit_code == 0
    _rewritten(_laboratory(repository), lambda table: table.slice(1))
    no = CliRunner().invoke(app, ["snapshot", "reproduce", "--json", *arguments])
    assert no.exit_code == 1, no.output
    said = json.loads(no.stdout)
    assert (said["exact"], said["recorded_digest"]) == (False, snapshot.digest)
    assert said["reasons"][0].startswith("source laboratory_results is changed: ")
    read_again = CliRunner().invoke(app, ["snapshot", "verify", "--sources", *arguments])
    assert read_again.exit_code == 1
    assert "source laboratory_results: changed; " in read_again.output
    assert "source patient_register: as recorded\n" in read_again.output


def test_what_nobody_recorded_is_not_repeated(applied: Any) -> None:
    repository, _ = applied
    with pytest.raises(UnknownSnapshot, match="There is no snapshot"):
        reproduce(repository.parts, "td1-sha256:" + "0" * 64)
