"""The example repository on Feast's SQL registry, in a SQLite file and on a PostgreSQL server."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from tests.postgresql import new_database, postgresql_server

SQLITE = "sqlite:///data/feast.db"


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Feast closes no engine of its registry: let its connections be collected here, where that is no warning."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgresql_server() as server:
        yield server


@pytest.fixture
def on_sqlite(repository: Any) -> Any:
    return on_sql(repository, SQLITE)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def on_either(request: pytest.FixtureRequest, repository: Any) -> Any:
    if request.param == "sqlite":
        return on_sql(repository, SQLITE)
    policy = repository.path / "policy.yaml"
    policy.write_text(
        policy.read_text().replace("\npacks:", '\n  - {match: "postgresql://127.0.0.1:*/**", zone: DE}\npacks:')
    )
    return on_sql(repository, new_database(request.getfixturevalue("postgres")))


def on_sql(repository: Any, path: str, **options: Any) -> Any:
    """The repository with such a registry; ``options`` are the engine's."""
    governed = {"plugins": ["provender"], "provender_config": "feature_store.yaml", **options}
    registry = {"registry_type": "sql", "path": path, "sqlalchemy_config_kwargs": governed}
    repository.configure(lambda document: document.update(registry=registry))
    return repository
