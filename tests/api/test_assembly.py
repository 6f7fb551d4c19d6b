"""Opening a repository: to record in it, or only to look."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.assembly import assemble
from api.settings import Settings, load_settings
from audit.errors import KeysUnusable, LedgerForked, UnknownRecord


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    text = "project: clinic\nregistry: data/registry\ngovernance: {policy: policy.yaml}\n"
    (tmp_path / "feature_store.yaml").write_text(text)
    return load_settings(tmp_path, environ={})


def files(settings: Settings) -> list[str]:
    return sorted(str(path.relative_to(settings.repo)) for path in settings.repo.rglob("*"))


def test_whoever_only_looks_makes_nothing(settings: Settings) -> None:
    before = files(settings)
    with pytest.raises(UnknownRecord, match="nothing was ever recorded here"):
        assemble(settings, create=False)
    assert files(settings) == before


def test_a_repository_is_begun_with_the_signed_empty_tree(settings: Settings) -> None:
    parts = assemble(settings)
    signed = parts.ledger.checkpoint()
    assert signed is not None
    assert signed.size == 0
    assert parts.ledger.audit().ok
    assert assemble(settings, create=False).ledger.checkpoint() == signed


def test_keys_that_are_gone_are_not_replaced_by_whoever_only_looks(settings: Settings) -> None:
    assemble(settings).engine.dispose()
    Path(settings.keys).rename(settings.repo / "elsewhere")
    with pytest.raises(KeysUnusable, match="no keys directory"):
        assemble(settings, create=False)
    assert not Path(settings.keys).exists()


def test_a_table_that_is_gone_is_not_made_by_whoever_only_looks(settings: Settings) -> None:
    parts = assemble(settings)
    with parts.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE event")
    with pytest.raises(LedgerForked, match="lacks the table event"):
        assemble(settings, create=False)
