"""Gathering: the records of one chain, and no others."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from audit.errors import LedgerForked, RecordForged, UnknownRecord
from audit.evidence import gather, reachable
from audit.statement import StatementSeal
from audit.verify.chain import follow
from lineage.errors import UnknownEndpoint
from lineage.recorder import Recorder, Subject
from tests.audit.chain_fixture import (
    ENDPOINT,
    SyntheticChain,
    build_chain,
    decision_act,
    deployment_act,
    materialization_act,
)


def test_only_what_the_chain_rests_on_is_gathered(tmp_path: Path) -> None:
    chain = build_chain(tmp_path)
    unrelated = dataclasses.replace(
        materialization_act(), predicate={"run": "another"}, subjects=decision_act().subjects
    )
    ended = deployment_act(chain.artifact, chain.keys)
    ended = dataclasses.replace(ended, predicate={**ended.predicate, "state": "ended"})
    Recorder(chain.engine, StatementSeal(chain.keys), after=chain.ledger.sequence).record(unrelated, ended)
    found = chain.evidence
    kinds = [act.kind for act in found.statements]
    assert kinds == ["decision", "retrieval", "materialization", "training", "artifact", "deployment", "deployment"]
    assert [record.id for record in found.records] == [act.id for act in found.statements]


def test_the_gathered_statements_give_the_same_chain_as_all_of_them(chain: SyntheticChain) -> None:
    found = chain.evidence
    assert follow(found.statements, ENDPOINT) == found.chain
    assert set(reachable(chain.records, ENDPOINT)) == {act.id for act in found.statements}


def test_an_unknown_endpoint_and_one_never_ready_are_named(chain: SyntheticChain, tmp_path: Path) -> None:
    with pytest.raises(UnknownEndpoint, match="'nobody'"):
        gather("nobody", records=chain.records, ledger=chain.ledger)
    refused = build_chain(
        tmp_path,
        change=lambda act: (
            dataclasses.replace(act, predicate={**act.predicate, "state": "refused"})
            if act.kind == "deployment"
            else act
        ),
    )
    with pytest.raises(UnknownEndpoint, match="ever ready"):
        _ = refused.evidence


def test_a_record_without_a_leaf_yet_is_not_passed_over(tmp_path: Path) -> None:
    chain = build_chain(tmp_path)
    again = deployment_act(chain.artifact, chain.keys)
    Recorder(chain.engine, StatementSeal(chain.keys), after=lambda: None).record(again)
    with pytest.raises(UnknownRecord):
        _ = chain.evidence


def tamper(chain: SyntheticChain, statement: str) -> None:
    """As whoever has the database's own credentials can."""
    with chain.engine.begin() as connection:
        for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql(statement)


def test_a_payload_that_was_changed_is_not_evidence(tmp_path: Path) -> None:
    chain = build_chain(tmp_path)
    tamper(chain, "UPDATE payload SET envelope = x'7b7d'")
    with pytest.raises(RecordForged, match="is not what the statement key"):
        _ = chain.evidence


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE leaf SET hash = zeroblob(32) WHERE idx = 3",
        "UPDATE node SET hash = zeroblob(32) WHERE level = 1 AND idx = 0",
    ],
)
def test_a_tree_that_does_not_prove_its_leaves_is_not_evidence(tmp_path: Path, statement: str) -> None:
    chain = build_chain(tmp_path)
    tamper(chain, statement)
    with pytest.raises(LedgerForked, match="is not that of record"):
        _ = chain.evidence


def test_the_leaf_that_is_handed_out_is_the_one_below_the_checkpoint(tmp_path: Path) -> None:
    chain = build_chain(tmp_path)
    before = chain.evidence
    tamper(chain, "UPDATE leaf SET bytes = x'7b7d' WHERE idx = 3")
    assert chain.evidence == before


def test_online_values_written_while_it_served_are_gathered(tmp_path: Path) -> None:
    chain = build_chain(tmp_path)
    first = materialization_act()
    view = {**first.predicate["views"][0], "digest": "td1-sha256:" + "1" * 64}
    again = dataclasses.replace(
        first,
        subjects=(Subject("feature_view:labs", "td1-sha256", "1" * 64),),
        predicate={**first.predicate, "run": "again", "views": [view]},
    )
    Recorder(chain.engine, StatementSeal(chain.keys), after=chain.ledger.sequence).record(again)
    found = chain.evidence
    assert [act.kind for act in found.statements][-1] == "materialization"
    assert [link.target.name for link in found.chain.links if link.target.kind == "materialization"][-1] == "labs again"
