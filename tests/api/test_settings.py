"""The governance block as it is read."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from api.settings import load_settings
from governance.errors import ConfigurationError
from lineage.errors import DatabaseUnreachable
from lineage.objects import Retention

BARE = "project: clinic\nregistry: data/registry\ngovernance: {policy: policy.yaml}\n"


def _repository(tmp_path: Path, text: str = BARE) -> Path:
    (tmp_path / "feature_store.yaml").write_text(text)
    return tmp_path


def test_everything_but_the_policy_has_a_default_below_the_repository(tmp_path: Path) -> None:
    settings = load_settings(_repository(tmp_path), environ={})
    assert settings.policy == tmp_path / "policy.yaml"
    assert settings.database == f"sqlite:///{tmp_path}/data/provender.db"
    assert settings.objects == str(tmp_path / "data/objects")
    assert settings.retention is None
    assert settings.keys == str(tmp_path / "data/keys")
    assert settings.checkpoints == tmp_path / "data/checkpoints"
    assert settings.origin == "provender.example/clinic"


def test_another_file_is_relative_to_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "other.yaml").write_text(BARE.replace("clinic", "hospital"))
    assert load_settings(tmp_path, file="other.yaml", environ={}).project == "hospital"


def test_without_the_file_the_environment_speaks(tmp_path: Path) -> None:
    environ = {"FEATURE_STORE_YAML_BASE64": base64.b64encode(BARE.encode()).decode()}
    assert load_settings(tmp_path, environ=environ).project == "clinic"


def test_the_file_comes_before_the_environment(tmp_path: Path) -> None:
    environ = {"FEATURE_STORE_YAML_BASE64": base64.b64encode(BARE.replace("clinic", "other").encode()).decode()}
    assert load_settings(_repository(tmp_path), environ=environ).project == "clinic"


@pytest.mark.parametrize("url", ["postgresql+psycopg://u:secret@host/db", "sqlite:////srv/provender.db", "sqlite://"])
def test_other_databases_stay_as_they_are_written(tmp_path: Path, url: str) -> None:
    text = BARE.replace("policy.yaml}", f"policy.yaml, database: '{url}'}}")
    assert load_settings(_repository(tmp_path, text), environ={}).database == url


def test_a_database_that_is_no_url_is_told_when_it_is_wanted(tmp_path: Path) -> None:
    settings = load_settings(
        _repository(tmp_path, BARE.replace("policy.yaml}", "policy.yaml, database: x}")), environ={}
    )
    with pytest.raises(DatabaseUnreachable, match="Expected a SQLAlchemy URL"):
        _ = settings.database


def test_checkpoints_are_a_directory(tmp_path: Path) -> None:
    text = BARE.replace("policy.yaml}", "policy.yaml, checkpoints: 's3://b/p'}")
    settings = load_settings(_repository(tmp_path, text), environ={})
    with pytest.raises(ConfigurationError, match="s3://b/p"):
        _ = settings.checkpoints


def test_objects_in_a_bucket_stay_as_they_are_written(tmp_path: Path) -> None:
    text = BARE.replace("policy.yaml}", "policy.yaml, objects: 's3://b/p', retention_days: 30}")
    settings = load_settings(_repository(tmp_path, text), environ={})
    assert settings.objects == "s3://b/p"
    assert settings.retention == Retention("GOVERNANCE", 30)


@pytest.mark.parametrize("wrong", ["retention_days: -1", "retention_days: 1, retention_mode: forever"])
def test_a_retention_that_s3_does_not_know_is_told(tmp_path: Path, wrong: str) -> None:
    text = BARE.replace("policy.yaml}", f"policy.yaml, {wrong}}}")
    with pytest.raises(ConfigurationError, match="GOVERNANCE or COMPLIANCE"):
        _ = load_settings(_repository(tmp_path, text), environ={}).retention


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        ({}, None),
        ({"AWS_ENDPOINT_URL": "http://a:1"}, "http://a:1"),
        ({"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_S3": "http://b:2"}, "http://b:2"),
        ({"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_S3": ""}, "http://a:1"),
    ],
)
def test_the_endpoint_of_s3_is_the_one_that_boto3_reads(
    tmp_path: Path, environ: dict[str, str], endpoint: str | None
) -> None:
    assert load_settings(_repository(tmp_path), environ=environ).s3_endpoint == endpoint


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("project: clinic\n", "no `governance:` block"),
        ("governance: {policy: p.yaml}\n", "no `project:`"),
        ("project: clinic\ngovernance: {}\n", "names no policy"),
        ("project: clinic\ngovernance: {policy: ''}\n", "names no policy"),
        ("project: clinic\ngovernance: {policy: [p]}\n", "names no policy"),
        ("project: clinic\ngovernance: {policy: p.yaml, databse: x}\n", "databse"),
        ("project: clinic\ngovernance: {policy: p.yaml, min_rows: many}\n", "Expected int"),
        ("project: clinic\ngovernance: {policy: p.yaml, min_rows: true}\n", "Expected int"),
        ("- clinic\n", "holds no mapping"),
        ("project: [\n", "is not YAML"),
    ],
)
def test_a_malformed_file_is_one_sentence(tmp_path: Path, text: str, found: str) -> None:
    with pytest.raises(ConfigurationError, match=found):
        load_settings(_repository(tmp_path, text), environ={})


@pytest.mark.parametrize("value", ["%%%", base64.b64encode(b"\xff\xfe").decode()])
def test_an_environment_that_is_not_base64_of_text_is_told(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigurationError, match="FEATURE_STORE_YAML_BASE64"):
        load_settings(tmp_path, environ={"FEATURE_STORE_YAML_BASE64": value})


def test_a_repository_without_configuration_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"There is no .*feature_store\.yaml"):
        load_settings(tmp_path, environ={})
