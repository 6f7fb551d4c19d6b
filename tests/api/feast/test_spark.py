"""Feast's Spark store, governed: cast, hashed and written on the executors, and the digest that every engine gives.

The session and its Java machine live in America/New_York, so that every time without zone would be read wrongly unless
it is taken for UTC.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from governance.errors import AnswerIsNo, WrongQuestion
from lineage.td1 import CHUNK_ROWS
from tests.api.feast import engines
from tests.api.feast.conftest import Repository

pytestmark = [pytest.mark.system, pytest.mark.slow]

LARGE = ("profile:text", "profile:tags", "pairs:level")
"""what is asked for many rows: Feast's query joins every entity row to every older value of its key"""


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """Two cores, each task tried three times; the Java machine is gone afterwards."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    before = {name: os.environ.get(name) for name in ("TZ", "PYSPARK_PYTHON", "SPARK_LOCAL_IP", "PYTHONPATH")}
    root = str(Path(__file__).resolve().parents[3])
    os.environ.update(TZ="America/New_York", PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1", PYTHONPATH=root)
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "America/New_York",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        # few rows: what is compiled for them costs more than it saves
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }
    builder = SparkSession.builder.master("local[2,3]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
        yield session
        gateway = SparkContext._gateway
        assert gateway is not None
        session.stop()
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(timeout=60)
        SparkContext._gateway = SparkContext._jvm = None
    finally:
        for name, old in before.items():
            os.environ.pop(name, None) if old is None else os.environ.update({name: old})


@dataclass(frozen=True)
class Wards:
    """One set of files behind Spark and behind our own store."""

    files: Path
    spark: Repository
    ours: Repository


@pytest.fixture(scope="module")
def wards(tmp_path_factory: pytest.TempPathFactory) -> Wards:
    files = tmp_path_factory.mktemp("wards")
    engines.write_sources(files)
    return Wards(files, _spark(tmp_path_factory.mktemp("spark"), files), _ours(tmp_path_factory.mktemp("ours"), files))


def _spark(place: Path, files: Path) -> Repository:
    made = engines.repository(place / "repository", {"type": "spark"})
    made.store().apply(engines.definitions(engines.spark_source(files)))
    return made


def _ours(place: Path, files: Path) -> Repository:
    made = engines.repository(place / "repository", {"type": "api.feast.AsofOfflineStore"})
    made.store().apply(engines.definitions(engines.file_source(files)))
    return made


def _states(repository: Repository, last: int) -> list[str]:
    return [one["state"] for one in repository.predicates("retrieval")][-last:]


def _incomplete(repository: Repository) -> list[Path]:
    return list((repository.path / "data/objects/.incomplete").iterdir())


def test_every_kind_of_value_gives_the_digest_of_our_own_store(wards: Wards, session: Any) -> None:
    spine = engines.spine(400)
    settings = session.conf.getAll
    job = engines.retrieved(wards.spark, spine)
    mine = engines.retrieved(wards.ours, spine)
    assert job.snapshot.digest == mine.snapshot.digest
    assert job.to_arrow().equals(mine.to_arrow().select(job.to_arrow().column_names))
    assert _states(wards.spark, 2) == ["START", "COMPLETE"]
    ended = wards.spark.predicates("retrieval")[-1]
    assert ended["engine"]["name"] == "SparkOfflineStore"
    assert ended["rows"] == len(spine)
    assert {one["name"]: one["state"] for one in ended["sources"]} == dict.fromkeys(
        ("pairs", "profile", "readings"), "computed"
    )
    manifests = [one.predicates("retrieval")[-1] for one in (wards.spark, wards.ours)]
    assert manifests[0]["spine"] == manifests[1]["spine"]
    for name in ("spark.sql.session.timeZone", "spark.sql.execution.arrow.pyspark.enabled"):
        assert session.conf.getAll.get(name) == settings.get(name)


def test_many_rows_are_written_chunk_by_chunk_and_read_back_in_order(wards: Wards) -> None:
    spine = engines.spine(CHUNK_ROWS - 3_000)
    job = wards.spark.store().get_historical_features(spine, features=list(LARGE))
    frame = job.to_spark_df()
    mine = engines.retrieved(wards.ours, spine, LARGE)
    assert job.snapshot.digest == mine.snapshot.digest
    folder = wards.spark.path / "data/objects/snapshots" / job.snapshot.digest.partition(":")[2]
    assert sorted(path.name for path in folder.glob("*.parquet")) == ["part-00000.parquet", "part-00001.parquet"]
    assert _incomplete(wards.spark) == []
    table = frame.toArrow()
    assert table.num_rows == len(spine) > CHUNK_ROWS
    assert table.column("label").to_pylist() == spine["label"].tolist()
    assert table.equals(job.to_arrow().cast(table.schema))
    assert _states(wards.spark, 2) == ["START", "COMPLETE"]  # the second way out read what was stored
    (folder / "part-00001.parquet").write_bytes((folder / "part-00000.parquet").read_bytes())
    with pytest.raises(Exception, match="changed after they were recorded"):
        frame.toArrow()
    with pytest.raises(AnswerIsNo, match="changed after they were recorded"):
        job.to_arrow()


def test_on_demand_views_are_computed_from_exact_rows_on_the_driver(wards: Wards, tmp_path: Path) -> None:
    digests = []
    for source, kind in ((engines.spark_source, "spark"), (engines.file_source, "api.feast.AsofOfflineStore")):
        made = engines.repository(tmp_path / kind, {"type": kind})
        made.store().apply([*engines.definitions(source(wards.files)), *engines.on_demand(source(wards.files))])
        job = engines.retrieved(made, engines.spine(200), ["readings:whole", "doubled:twice", "graded:grade"])
        assert job.to_arrow().schema.field("whole").type == pa.int64()
        assert set(job.to_arrow().column("grade").to_pylist()) == {None, 1.0}
        digests.append(job.snapshot.digest)
    assert digests[0] == digests[1]


def test_one_value_that_does_not_fit_ends_the_run_and_leaves_nothing(wards: Wards, tmp_path: Path) -> None:
    files = tmp_path / "files"
    shutil.copytree(wards.files, files)
    table = pq.read_table(files / "readings.parquet")
    units, at = table.column("unit").to_pylist(), table.column_names.index("small")
    values = [2**40 + 977 if unit == 5 else 1 for unit in units]
    pq.write_table(table.set_column(at, "small", pa.array(values, pa.int64())), files / "readings.parquet")
    broken = _spark(tmp_path, files)
    with pytest.raises(AnswerIsNo, match=r"Column 'small', row \d+: int64 cannot become the declared int32") as raised:
        engines.retrieved(broken, engines.spine(400), ["readings:small"])
    assert str(2**40 + 977) not in str(raised.value)
    assert _states(broken, 2) == ["START", "FAIL"]
    assert broken.parts.snapshots.names() == ()
    assert _incomplete(broken) == []


def test_two_values_of_one_moment_are_found_out(wards: Wards, tmp_path: Path) -> None:
    """Feast's query gives both of them to the entity row."""
    files = tmp_path / "files"
    shutil.copytree(wards.files, files)
    table = pq.read_table(files / "pairs.parquet")
    pq.write_table(pa.concat_tables([table, table]), files / "pairs.parquet")
    with pytest.raises(AnswerIsNo, match="not each of them once"):
        engines.retrieved(_spark(tmp_path, files), engines.spine(100), ["pairs:level"])


def test_a_worker_that_is_killed_is_replaced_and_its_rows_count_once(
    wards: Wards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "killed"
    _each_writer(monkeypatch, _dying_once(marker))
    spine = engines.spine(400)
    job = engines.retrieved(wards.spark, spine, LARGE)
    assert marker.exists()
    assert job.snapshot.digest == engines.retrieved(wards.ours, spine, LARGE).snapshot.digest


def _dying_once(marker: Path) -> Callable[[Any], Any]:
    """A writer that kills its own process after it has written, the first time. It travels by value."""

    class Dying:
        def __init__(self, writer: Any) -> None:
            self.writer, self.schema = writer, writer.schema

        def write(self, number: int, rows: Any) -> str:
            file: str = self.writer.write(number, rows)
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return file

    return Dying


def _each_writer(monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any]) -> None:
    from api.feast.spark_rows import SparkRows

    answers = SparkRows.chunk_answers
    monkeypatch.setattr(
        SparkRows, "chunk_answers", lambda job, plan: answers(job, replace(plan, writer=change(plan.writer)))
    )


def test_an_engine_that_gives_other_entity_rows_back_is_found_out(
    wards: Wards, monkeypatch: pytest.MonkeyPatch
) -> None:
    from feast.infra.offline_stores.contrib.spark_offline_store.spark import SparkRetrievalJob
    from pyspark.sql import functions

    plain = SparkRetrievalJob.to_spark_df
    monkeypatch.setattr(
        SparkRetrievalJob, "to_spark_df", lambda job: plain(job).withColumn("label", functions.lit(1).cast("int"))
    )
    with pytest.raises(AnswerIsNo, match=r"changed the entity rows in the columns \['label'\]"):
        engines.retrieved(wards.spark, engines.spine(100), LARGE)
    assert _states(wards.spark, 2) == ["START", "FAIL"]


def test_a_date_range_is_refused(wards: Wards) -> None:
    """Feast's store would answer one row for each key, at the end of the range, whatever rows lie in it."""
    with pytest.raises(WrongQuestion, match="date range"):
        wards.spark.store().get_historical_features(features=["readings:whole"], start_date=engines.START)
    assert _states(wards.spark, 2) == ["START", "FAIL"]


def test_a_query_is_refused_because_its_tables_are_in_nobodys_picture(wards: Wards, session: Any) -> None:
    session.createDataFrame(pa.Table.from_pandas(engines.spine(60, doubled=False))).createOrReplaceTempView("asked")
    before = len(wards.spark.records("retrieval"))
    with pytest.raises(WrongQuestion, match=r"The entity rows are text.*Give a pandas DataFrame"):
        wards.spark.store().get_historical_features("SELECT * FROM asked", features=["profile:text"])
    assert len(wards.spark.records("retrieval")) == before


def test_other_engines_offer_no_spark_frame(wards: Wards) -> None:
    job = wards.ours.store().get_historical_features(engines.spine(10), features=["profile:text"])
    with pytest.raises(WrongQuestion, match=r"to_spark_df\(\) is refused"):
        job.to_spark_df()
