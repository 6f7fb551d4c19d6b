"""A file that Feast would overlook for another module of its name is refused at every entry, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from governance.errors import WrongQuestion
from tests.answers import Answer

SAID = "lineage.py is shadowed: Python finds the module 'lineage' at "
ADVICE = (
    "so Feast would miss this file's objects and delete them from the registry. Nothing was written. Rename the file."
)

ENTRIES: dict[str, Callable[[Any, Any], Any]] = {
    "apply": lambda _, store: store.apply([store.get_entity("patient")]),
    "partial apply": lambda _, store: store.apply(store.get_entity("patient"), partial=True),
    "full apply": lambda _, store: store.apply([], objects_to_delete=[store.get_entity("patient")], partial=False),
    "delete": lambda _, store: store.delete_feature_service("liver_risk"),
    "teardown": lambda _, store: store.teardown(),
    "teardown of the registry alone": lambda _, store: store.registry.teardown(),
    "a single object": lambda _, store: store.registry.delete_feature_service("liver_risk", store.project),
}


@pytest.fixture
def shadowed(applied: Any) -> Any:
    repository, store = applied
    (repository.path / "lineage.py").write_text("from liver_views import laboratory\n")
    return repository, store


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_sdk_refuses_a_shadowed_file_and_nothing_is_written(shadowed: Any, entry: str) -> None:
    repository, store = shadowed
    head, online = repository.head, (repository.path / "data/online.db").read_bytes()
    with pytest.raises(WrongQuestion) as refusal:
        ENTRIES[entry](repository, store)
    assert str(refusal.value).startswith(SAID)
    assert str(refusal.value).endswith(ADVICE)
    assert (repository.head, (repository.path / "data/online.db").read_bytes()) == (head, online)
    assert len(repository.records("decision")) == 1


@pytest.mark.parametrize("command", [("apply",), ("apply", "--skip-source-validation"), ("teardown",)], ids=" ".join)
def test_feast_refuses_a_shadowed_file(shadowed: Any, command: tuple[str, ...]) -> None:
    repository, _ = shadowed
    head = repository.head
    done = repository.invoke("-c", str(repository.path), *command)
    assert done.exit_code == 2
    assert SAID in done.output
    assert ADVICE in done.output
    assert repository.head == head


@pytest.mark.parametrize("command", [("plan",), ("explain", "laboratory")], ids=" ".join)
def test_provender_refuses_a_shadowed_file(
    shadowed: Any, provender: Callable[..., Answer], command: tuple[str, ...]
) -> None:
    answer = provender(*command, "--repo", shadowed[0].path)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(SAID)
    assert answer.err.endswith(f"{ADVICE}\n")
