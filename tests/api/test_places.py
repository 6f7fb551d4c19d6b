"""Where the stores of a configuration lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from api.places import repository_places
from api.settings import Governance, Settings
from governance.errors import ConfigurationError

REPO = Path("/srv/repo")


def _places(document: dict[str, Any], **governance: Any) -> dict[str, tuple[str, ...]]:
    whole = {"registry": "data/registry", **document}
    return repository_places(Settings(REPO, "clinic", whole, Governance("policy.yaml", **governance)))


@pytest.mark.parametrize(
    ("block", "place"),
    [
        ({"type": "sqlite", "path": "data/o.db"}, "file:///srv/repo/data/o.db"),
        ({"type": "sqlite", "path": "/mnt/o.db"}, "file:///mnt/o.db"),
        ("sqlite", "file:///srv/repo/data/online.db"),
        ({"type": "redis", "connection_string": "Cache.example:6380,db=2"}, "redis://cache.example:6380/2"),
        ("redis", "redis://localhost:6379/0"),
        (
            {"type": "postgres", "host": "PG.example", "database": "feast", "db_schema": "online"},
            "postgresql://pg.example:5432/feast/online",
        ),
        ({"type": "postgres", "host": "pg", "port": 6543, "database": "f"}, "postgresql://pg:6543/f/public"),
        ("dynamodb", "dynamodb://unknown"),
        ("some.module.FancyOnlineStore", "fancyonlinestore://unknown"),
    ],
)
def test_the_online_store_is_located(block: Any, place: str) -> None:
    assert _places({"online_store": block})["online_store"] == (place,)


def test_without_a_block_feast_makes_its_default_file() -> None:
    assert _places({})["online_store"] == ("file:///srv/repo/data/online.db",)


def test_no_online_store_is_no_place() -> None:
    assert "online_store" not in _places({"online_store": None})


def test_our_own_stores_are_places_too() -> None:
    places = _places({}, place="k8s://Prod/team/cpu")
    assert places["registry"] == ("file:///srv/repo/data/registry",)
    assert places["database"] == ("file:///srv/repo/data/provender.db",)
    assert places["objects"] == ("file:///srv/repo/data/objects",)
    assert places["checkpoints"] == ("file:///srv/repo/data/checkpoints",)
    assert places["keys"] == ("file:///srv/repo/data/keys",)
    assert places["compute"] == ("k8s://prod/team/cpu",)
    assert "keys" not in _places({}, keys="env:KEYS")


@pytest.mark.parametrize("document", [{"registry": {}}, {"registry": None}, {"registry": {"path": ""}}])
def test_a_registry_without_a_path_is_told(document: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="names no path"):
        _places(document)


@pytest.mark.parametrize("name", ["registry", "online_store"])
def test_a_block_of_another_shape_is_told(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"`{name}:` is"):
        _places({name: ["x"]})
