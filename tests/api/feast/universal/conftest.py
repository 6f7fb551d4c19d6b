"""The repository of each test, with sources of each kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.feast.universal.small_repository import KINDS, Kind, Small

collect_ignore = ["judged_stores.py", "open_store.py", "judge.py"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    value: Kind = request.param
    return value


@pytest.fixture
def small(tmp_path: Path, kind: Kind) -> Small:
    """A governed repository whose sources are of every kind in turn."""
    return Small(tmp_path / "repository", kind=kind).prepare()


@pytest.fixture
def make_small(tmp_path: Path) -> Callable[..., Small]:
    """One whose sources are Parquet files, configured by the test."""

    def make(name: str = "repository", **offline: Any) -> Small:
        return Small(tmp_path / name).prepare(**offline)

    return make
