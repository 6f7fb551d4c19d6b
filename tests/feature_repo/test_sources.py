from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest


def _digests(paths: tuple[Path, ...]) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def test_two_runs_give_the_same_bytes(sources_module: Any, tmp_path: Path) -> None:
    first = sources_module.make_sources(tmp_path / "one")
    second = sources_module.make_sources(tmp_path / "two")
    assert _digests(first) == _digests(second)
    assert [path.name for path in first] == ["demographics.parquet", "follow_up.parquet", "laboratory.parquet"]


def test_an_identical_file_is_left_untouched_and_a_damaged_one_is_made_again(
    sources_module: Any, tmp_path: Path
) -> None:
    paths = sources_module.make_sources(tmp_path)
    digests, inodes = _digests(paths), [path.stat().st_ino for path in paths]
    paths[0].write_bytes(paths[0].read_bytes()[:-1] + b"?")
    sources_module.make_sources(tmp_path)
    assert _digests(paths) == digests
    assert [path.stat().st_ino for path in paths[1:]] == inodes[1:]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == [path.name for path in paths]


def test_the_published_data_set_is_complete(repository: Path) -> None:
    folder = repository / "data" / "sources"
    laboratory = pq.read_table(folder / "laboratory.parquet")
    assert laboratory.num_rows == 1945
    assert pc.count_distinct(laboratory["patient_id"]).as_py() == 312
    assert pq.read_table(folder / "demographics.parquet").num_rows == 312
    outcomes = pq.read_table(folder / "follow_up.parquet")["outcome"].value_counts().to_pylist()
    assert {count["values"]: count["counts"] for count in outcomes} == {"censored": 143, "death": 140, "transplant": 29}


def test_the_first_patient_is_the_one_in_the_book(repository: Path) -> None:
    """Patient 1: 58.77 years, two visits (day 0 and 192), bilirubin 14.5 and 21.3 mg/dL, dead on day 400."""
    folder = repository / "data" / "sources"
    visits = pq.read_table(folder / "laboratory.parquet", filters=[("patient_id", "=", 1)]).to_pylist()
    assert [visit["bilirubin_mg_dl"] for visit in visits] == [14.5, 21.3]
    assert [visit["albumin_g_dl"] for visit in visits] == [2.6, 2.94]
    assert visits[1]["cholesterol_mg_dl"] is None
    assert visits[1]["event_timestamp"] - visits[0]["event_timestamp"] == timedelta(days=192)
    end = pq.read_table(folder / "follow_up.parquet", filters=[("patient_id", "=", 1)]).to_pylist()[0]
    assert (end["event_timestamp"] - visits[0]["event_timestamp"], end["outcome"]) == (timedelta(days=400), "death")
    person = pq.read_table(folder / "demographics.parquet", filters=[("patient_id", "=", 1)]).to_pylist()[0]
    assert (round(person["age_at_enrolment_years"], 2), person["sex"], person["site"]) == (58.77, "f", "DE")


def test_missing_measurements_are_nulls_and_never_nan(repository: Path) -> None:
    laboratory = pq.read_table(repository / "data" / "sources" / "laboratory.parquet")
    assert laboratory["cholesterol_mg_dl"].null_count == 821
    assert laboratory["platelets_per_nl"].null_count == 73
    assert not pc.any(pc.is_nan(laboratory["cholesterol_mg_dl"])).as_py()


def test_a_result_is_created_after_its_draw(repository: Path) -> None:
    for path in (repository / "data" / "sources").iterdir():
        table = pq.read_table(path)
        assert pc.all(pc.greater(table["created_timestamp"], table["event_timestamp"])).as_py(), path.name


def test_another_data_set_is_refused_and_nothing_is_written(
    sources_module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources_module, "VISITS", 1946)
    with pytest.raises(sources_module.SourcesNotMade, match="312 patients and 1945 visits, expected 312 and 1946"):
        sources_module.make_sources(tmp_path)
    assert not list(tmp_path.iterdir())
