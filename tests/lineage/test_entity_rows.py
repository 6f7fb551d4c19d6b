from __future__ import annotations

import copy
import traceback
from functools import partial
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import lineage
from lineage.entity_rows import origin_of, spine_digest, spine_table
from lineage.errors import LossyCast, SourceUnreadable

TIME = pa.timestamp("us", "UTC")


def label_visits() -> pa.Table:
    return pa.table({"patient": pa.array([1, 2], pa.int64()), "t": pa.array([0, 1], TIME), "label": [True, None]})


@pytest.fixture
def visits(tmp_path: Path) -> Path:
    path = tmp_path / "visits.parquet"
    path.write_bytes(b"visits")
    return path


@pytest.fixture
def frame(visits: Path) -> pd.DataFrame:
    return lineage.spine(label_visits(), made_from=[visits], code=label_visits)


def test_the_origin_names_files_and_code_by_their_digests(frame: pd.DataFrame, visits: Path) -> None:
    origin = origin_of(frame, spine_digest(frame))
    assert origin is not None
    assert origin["made_from"] == [{"uri": str(visits), "sha256": sha256(b"visits").hexdigest()}]
    assert origin["code"]["name"].endswith("test_entity_rows.label_visits")
    assert len(origin["code"]["sha256"]) == 64


def test_the_origin_travels_with_copies_of_the_rows(frame: pd.DataFrame) -> None:
    for same in (frame.copy(), copy.deepcopy(frame), frame[:], frame.reset_index(drop=True), frame.set_axis([5, 6])):
        assert origin_of(same, spine_digest(same)) is not None


def test_edited_rows_lose_their_origin(frame: pd.DataFrame) -> None:
    edited = frame.copy()
    edited.loc[0, "patient"] = 7
    columns = frame.assign(extra=1)
    for other in (edited, columns, frame.head(1), frame[::-1], pd.concat([frame, frame]), frame[["patient", "t"]]):
        assert origin_of(other, spine_digest(other)) is None


def test_a_bare_frame_has_no_origin(frame: pd.DataFrame) -> None:
    bare = pd.DataFrame(frame.to_dict("list"))
    assert origin_of(bare, spine_digest(bare)) is None
    frame.attrs["provender_origin"] = "mine"
    assert origin_of(frame, spine_digest(frame)) is None


def test_rows_made_of_no_file_have_an_origin_all_the_same() -> None:
    frame = lineage.spine(label_visits(), made_from=[], code=label_visits)
    origin = origin_of(frame, spine_digest(frame))
    assert origin is not None
    assert origin["made_from"] == []


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="absent"):
        lineage.spine(label_visits(), made_from=[tmp_path / "absent"], code=label_visits)


@pytest.mark.parametrize("code", [len, partial(label_visits), eval("lambda: 1")])
def test_code_without_source_text_is_refused(code: object) -> None:
    with pytest.raises(SourceUnreadable, match="source text"):
        lineage.spine(label_visits(), made_from=[], code=code)  # type: ignore[arg-type] # that is the point


def test_timestamps_become_utc_microseconds_and_naive_means_utc() -> None:
    times = pd.to_datetime(["2020-01-01T00:00:00.000001", None])
    naive, zoned = pd.DataFrame({"t": times}), pd.DataFrame({"t": times.tz_localize("UTC").tz_convert("Asia/Tokyo")})
    assert spine_table(naive).schema.field("t").type == TIME
    assert spine_table(naive).equals(spine_table(zoned))
    assert spine_table(naive).column("t").cast(pa.int64()).to_pylist() == [1577836800000001, None]
    assert spine_digest(naive) == spine_digest(zoned)


@pytest.mark.parametrize("values", [[1, 2, "Maria Muster"], ["a", "b", 4711.5]])
def test_rows_of_several_kinds_are_named_by_place_and_never_quoted(values: list[object]) -> None:
    with pytest.raises(SourceUnreadable, match=r"row 2 of column 'x'") as refusal:
        spine_table(pd.DataFrame({"n": [1, 2, 3], "x": pd.Series(values, dtype=object)}))
    told = "".join(traceback.format_exception(refusal.value))
    assert "Muster" not in told
    assert "4711" not in told


def test_a_nanosecond_is_not_rounded_away() -> None:
    times = pd.to_datetime(["2020-01-01", "2020-01-01T00:00:00.000000001"], format="ISO8601")
    with pytest.raises(LossyCast, match="'t', row 1"):
        spine_table(pd.DataFrame({"t": times}))


@pytest.mark.parametrize(
    "frame",
    [pd.DataFrame({"x": [1, "a"]}), pd.DataFrame([[1, 2]], columns=["x", "x"]), pd.DataFrame({"x": [object()]})],
    ids=["mixed", "twice", "object"],
)
def test_rows_that_are_no_table_are_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(SourceUnreadable, match="entity rows"):
        spine_table(frame)
