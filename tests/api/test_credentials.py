from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from api.credentials import held_credentials
from api.settings import Governance, Settings
from governance.assets import Asset, Definitions
from governance.verdict import Level

BUCKET = {"objects": ("s3://hospital/objects",)}


def _held(
    *assets: Asset,
    document: Mapping[str, Any] | None = None,
    environ: dict[str, str] | None = None,
    database: str = "sqlite:///data/provender.db",
    places: Mapping[str, tuple[str, ...]] | None = None,
) -> list[tuple[str, str]]:
    settings = Settings(Path("/repo"), "p", document or {}, Governance(policy="policy.yaml", database=database))
    found = held_credentials(settings, Definitions("p", assets), places=places or {}, environ=environ or {})
    assert all(one.level is Level.AUDIT and "secret1" not in one.text() for one in found)
    return [(one.object, one.message) for one in found]


@pytest.mark.parametrize(
    ("online", "setting"),
    [
        ({"type": "redis", "connection_string": "redis-1:6379,password=secret1,ssl=true"}, "connection_string"),
        ({"type": "postgres", "host": "db", "user": "u", "password": "secret1"}, "password"),
        ({"type": "x", "url": "mysql://u:secret1@db/x"}, "url"),
        ({"type": "dynamodb", "session_token": "secret1"}, "session_token"),
    ],
    ids=["redis", "postgres", "url", "token"],
)
def test_a_password_in_the_configuration_is_named_and_never_told(online: dict[str, Any], setting: str) -> None:
    assert _held(document={"online_store": online}) == [
        ("configuration:online_store", f"`online_store: {setting}:` holds a password")
    ]


def test_an_engine_behind_the_governed_store_is_looked_into_too() -> None:
    inner = {"type": "api.feast.GovernedOfflineStore", "store": {"type": "postgres", "password": "secret1"}}
    (found,) = _held(document={"offline_store": inner})
    assert found == ("configuration:offline_store: store", "`offline_store: store: password:` holds a password")


def test_the_database_of_the_records_is_a_store_too() -> None:
    (found,) = _held(database="postgresql+psycopg://provender:secret1@db/provender")
    assert found == ("configuration:governance", "`governance: database:` holds a password")


def test_keys_of_s3_are_named_with_the_buckets_that_they_open() -> None:
    environ = {"AWS_SECRET_ACCESS_KEY": "secret1"}
    source = Asset(kind="data_source", name="labs", project="p", places=("s3://lake/labs.parquet",))
    (found,) = _held(source, environ=environ, places=BUCKET)
    assert found == (
        "environment:S3",
        "AWS_SECRET_ACCESS_KEY is set, which opens s3://hospital, s3://lake to this client",
    )
    assert _held(environ=environ) == []
    assert _held(source, places=BUCKET) == []


def test_a_source_in_a_warehouse_is_named_with_its_line() -> None:
    source = Asset(
        kind="data_source", name="visits", project="p", places=("snowflake://unknown",), location="sources.py:3"
    )
    (found,) = held_credentials(
        Settings(Path("/repo"), "p", {}, Governance(policy="policy.yaml")),
        Definitions("p", [source]),
        places={},
        environ={},
    )
    assert found.text() == (
        "audit  credentials.held  data_source:visits\n"
        "      lies in snowflake, whose rows are read with credentials of its own\n"
        "      fix:  let the governed processes alone read it there, as in docs/threats.md\n"
        "      at:   sources.py:3"
    )


def test_files_and_stores_without_a_password_are_nothing_to_warn_of() -> None:
    source = Asset(kind="data_source", name="labs", project="p", places=("file:///repo/labs.parquet",))
    assert _held(source, document={"online_store": {"type": "sqlite", "path": "data/online.db"}}) == []
