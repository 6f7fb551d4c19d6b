"""Online reads: decided once for each way of reading, and the decision is on record before a value leaves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import governance
from governance.errors import AnswerIsNo, Denied, WrongQuestion

REFS = ["laboratory:bilirubin_mg_dl"]
WHO = [{"patient_id": 1}]


def _online(repository: Any) -> list[dict[str, Any]]:
    return [one for one in repository.predicates("decision") if one["gate"] == "online"]


def _read(store: Any, features: Any = None) -> Any:
    return store.get_online_features(features=features or REFS, entity_rows=WHO).to_dict()


def test_the_first_read_of_its_kind_is_recorded_and_the_next_ones_are_not(applied: Any) -> None:
    repository, store = applied
    _read(store)
    (decision,) = _online(repository)
    assert decision["outcome"] == "allow"
    assert decision["definitions"] == repository.head["definitions"]
    assert decision["request"] == {"features": REFS, "purpose": "research"}
    _read(store)
    asyncio.run(_never_supported(store))
    assert len(_online(repository)) == 1
    _read(store, store.get_feature_service("liver_risk"))
    assert len(_online(repository)) == 2


async def _never_supported(store: Any) -> None:
    with pytest.raises(NotImplementedError):  # SQLite reads no other way than at once; the gate was passed
        await store.get_online_features_async(features=REFS, entity_rows=WHO)


def test_a_registry_that_is_only_read_again_is_not_decided_on_anew(applied: Any) -> None:
    repository, store = applied
    _read(store)
    assert store.get_feature_view("laboratory")  # Feast reads its registry again for this
    store.refresh_registry()
    _read(store)
    assert len(_online(repository)) == 1


def test_a_purpose_that_is_not_granted_gets_no_value_and_the_refusal_is_recorded(applied: Any) -> None:
    repository, store = applied
    with governance.acting(purpose="marketing"):
        for _ in range(2):
            with pytest.raises(Denied, match=r"purpose\.allowed"):
                _read(store)
        with pytest.raises(Denied, match=r"purpose\.allowed"):
            asyncio.run(store.get_online_features_async(features=REFS, entity_rows=WHO))
    (decision,) = _online(repository)
    assert decision["outcome"] == "deny"
    assert _read(store)


def test_a_policy_that_changes_is_asked_anew(applied: Any) -> None:
    repository, store = applied
    policy = repository.path / "policy.yaml"
    with governance.acting(purpose="research"):
        assert _read(store)
        policy.write_text(policy.read_text().replace("purposes: [research]", "purposes: [care]"))
        with pytest.raises(Denied, match=r"purpose\.allowed"):
            _read(store)
    policy.unlink()
    with pytest.raises(WrongQuestion, match="no policy"):
        _read(store)


def test_definitions_that_change_are_decided_on_anew(applied: Any) -> None:
    repository, store = applied
    assert _read(store)
    view = store.get_feature_view("laboratory")
    view.description = "changed"
    store.apply([view])
    assert _read(store)
    first, second = _online(repository)
    assert first["definitions"] != second["definitions"] == repository.head["definitions"]


def test_a_service_is_judged_and_read_as_it_is_registered(applied: Any) -> None:
    repository, store = applied
    service = store.get_feature_service("liver_risk")
    registered = {feature.name for one in service.feature_view_projections for feature in one.features}
    service.feature_view_projections = service.feature_view_projections[:1]
    answer = _read(store, service)
    assert registered <= set(answer)
    (decision,) = _online(repository)
    assert {one.split(":")[1] for one in decision["request"]["features"]} == registered


def test_a_feature_of_a_version_that_no_verdict_knows_is_denied(applied: Any) -> None:
    _, store = applied
    with pytest.raises(Denied, match=r"inputs\.defined"):
        _read(store, ["laboratory@v1:bilirubin_mg_dl"])


def test_what_cannot_be_recorded_is_not_read(applied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from lineage.recorder import Recorder

    repository, store = applied

    engine, record = repository.parts.engine, Recorder.record

    def full(recorder: Recorder, *acts: Any) -> tuple[str, ...]:
        if recorder._engine is engine:
            raise OSError(28, "No space left on device", "provender.db")
        return record(recorder, *acts)

    with monkeypatch.context() as broken:
        broken.setattr(Recorder, "record", full)
        with pytest.raises((AnswerIsNo, WrongQuestion), match="No space left"):
            _read(store)
    assert _online(repository) == []
    assert _read(store)
    assert len(_online(repository)) == 1


def test_a_registry_that_somebody_else_changed_counts_after_policy_ttl(applied: Any) -> None:
    repository, store = applied
    repository.configure(lambda document: document["governance"].update(policy_ttl=0))
    reader = repository.store()
    assert _read(reader)
    view = store.get_feature_view("laboratory")
    view.tags = {**view.tags, "purpose": "care"}
    store.apply([view])
    with pytest.raises(Denied, match="purpose research is not allowed; allowed: care"):
        _read(reader)


def test_labels_that_nobody_decided_on_open_no_gate(repository: Any) -> None:
    """A change with ``commit=False`` stands in Feast's own copy of the registry, which cached reads see."""
    for file in repository.path.glob("*.py"):
        kept = file.read_text().replace('"purpose": "care,research"', '"purpose": "care"')
        file.write_text(kept.replace('"purpose": "research"', '"purpose": "care"'))
    store = repository.apply()
    for one in (store, repository.store()):
        assert one.list_feature_views()
        proto = one.registry.proto()
        for tagged in (*proto.data_sources, *(each.spec for each in (*proto.entities, *proto.feature_views))):
            tagged.tags["purpose"] = "research"
        for view in proto.feature_views:
            view.spec.batch_source.tags["purpose"] = "research"
        with pytest.raises(Denied, match="purpose research is not allowed; allowed: care"):
            _read(one)
    assert {decision["definitions"] for decision in _online(repository)} == {repository.head["definitions"]}
