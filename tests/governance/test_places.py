from __future__ import annotations

from pathlib import Path

import pytest

from governance.errors import ConfigurationError
from governance.globs import matches
from governance.places import (
    PlaceRule,
    file_place,
    kafka_places,
    kubernetes_place,
    place_of,
    redis_places,
    s3_place,
    sql_place,
    zone_of,
)


def test_a_file_is_named_by_its_real_path(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    assert file_place("link/../link/labs.parquet", base=tmp_path) == (real.resolve() / "labs.parquet").as_uri()


@pytest.mark.parametrize(
    "url", ["sqlite:///data/p.db", "duckdb:///data/p.db", "sqlite:///file:data/p.db?mode=ro&uri=true"]
)
def test_an_embedded_database_is_a_file_below_the_repository(url: str, tmp_path: Path) -> None:
    assert sql_place(url, base=tmp_path) == (tmp_path.resolve() / "data/p.db").as_uri()


def test_an_absolute_sqlite_path_stays_absolute(tmp_path: Path) -> None:
    assert sql_place(f"sqlite:///{tmp_path}/p.db", base=Path("/elsewhere")) == (tmp_path.resolve() / "p.db").as_uri()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "duckdb:///:memory:"])
def test_a_database_in_memory_is_a_place_of_its_own(url: str, tmp_path: Path) -> None:
    assert sql_place(url, base=tmp_path) == "memory://"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (
            "postgresql+psycopg://me:secret@DB.Example/clinic?sslmode=require",
            "postgresql://db.example:5432/clinic/public",
        ),
        ("postgres://me@db.example:6000/clinic", "postgresql://db.example:6000/clinic/public"),
        ("mysql+pymysql://me:s%40crt@db/clinic", "mysql://db:3306/clinic"),
        ("postgresql://[::1]/clinic", "postgresql://[::1]:5432/clinic/public"),
    ],
)
def test_a_sql_store_is_named_without_user_password_driver_or_query(url: str, place: str) -> None:
    assert sql_place(url, base=Path("/")) == place


def test_a_schema_is_part_of_the_place() -> None:
    assert sql_place("postgresql://db/clinic", base=Path("/"), schema="care") == "postgresql://db:5432/clinic/care"


@pytest.mark.parametrize(
    ("uri", "endpoint", "place"),
    [
        ("s3://Bucket/key/a.parquet", None, "s3://bucket/key/a.parquet"),
        ("s3a://bucket/key?versionId=1", None, "s3://bucket/key"),
        ("s3://bucket/key", "http://me:secret@Minio.local:9000/", "s3+http://minio.local:9000/bucket/key"),
        ("s3://bucket/key", "https://minio.local", "s3+https://minio.local:443/bucket/key"),
    ],
)
def test_an_object_store_is_named_by_bucket_key_and_endpoint(uri: str, endpoint: str | None, place: str) -> None:
    assert s3_place(uri, endpoint=endpoint) == place


@pytest.mark.parametrize(
    ("connection", "places"),
    [
        ("Cache-FR1:6379", ("redis://cache-fr1:6379/0",)),
        ("a:6379,b:6380,db=2,password=secret", ("redis://a:6379/2", "redis://b:6380/2")),
        ("a:6379,ssl=true", ("rediss://a:6379/0",)),
        ("rediss://me:secret@cache/3?x=1", ("rediss://cache:6379/3",)),
    ],
)
def test_redis_has_one_place_a_node(connection: str, places: tuple[str, ...]) -> None:
    assert redis_places(connection) == places


def test_streams_and_node_pools_have_places() -> None:
    assert kafka_places("B1:9092, b2", "labs") == ("kafka://b1:9092/labs", "kafka://b2:9092/labs")
    assert kubernetes_place("prod", "clinic", "gpu-a") == "k8s://prod/clinic/gpu-a"


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("s3n://bucket/k", "s3://bucket/k"),
        ("redis://cache", "redis://cache:6379/0"),
        ("spark://Master", "spark://master:7077"),
        ("k8s://prod/clinic/gpu-a", "k8s://prod/clinic/gpu-a"),
        ("gs://bucket/a", "gs://bucket/a"),
        ("s3+https://minio:9000/bucket/k", "s3+https://minio:9000/bucket/k"),
        ("postgresql+psycopg://u:p@db/clinic", "postgresql://db:5432/clinic/public"),
        ("data/labs.parquet", "file:///repo/data/labs.parquet"),
        ("file:///repo/a%20b", "file:///repo/a%20b"),
    ],
)
def test_any_uri_or_path_has_a_canonical_place(uri: str, place: str) -> None:
    assert place_of(uri, base=Path("/repo")) == place


@pytest.mark.parametrize("uri", ["spark:", "k8s://prod/../other/gpu", "postgresql:///clinic", "redis://cache:many/0"])
def test_a_uri_that_names_no_place_is_an_error(uri: str) -> None:
    with pytest.raises(ConfigurationError, match=r"found .*; expected"):
        place_of(uri, base=Path("/repo"))


@pytest.mark.parametrize(
    ("pattern", "text", "match"),
    [
        ("file://**", "file:///a/b", True),
        ("s3://b/*", "s3://b/k", True),
        ("s3://b/*", "s3://b/k/l", False),
        ("s3://b/**", "s3://b/k/l", True),
        ("redis://cache-fr*:6379/*", "redis://cache-fr1:6379/0", True),
        ("redis://cache-fr*:6379/*", "redis://cache-de:1/cache-fr1:6379/0", False),
        ("k8s://prod/*/gpu-a", "k8s://prod/clinic/gpu-a", True),
        ("a.b", "axb", False),
        ("a", "ab", False),
    ],
)
def test_one_star_stops_at_a_slash_and_two_do_not(pattern: str, text: str, *, match: bool) -> None:
    assert matches(pattern, text) is match


def test_the_first_line_that_matches_says_the_zone() -> None:
    rules = [PlaceRule("s3://secret/**", "DE"), PlaceRule("s3://**", "FR")]
    assert [zone_of(place, rules) for place in ("s3://secret/a", "s3://open/a", "redis://a:1/0")] == ["DE", "FR", None]
