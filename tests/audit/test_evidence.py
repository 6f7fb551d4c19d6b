"""Gathering: the records of one chain, and no others."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from audit.errors import UnknownRecord
from audit.evidence import gather, reachable
from audit.statement import StatementSeal
from audit.verify.chain import follow
from lineage.errors import UnknownEndpoint
from lineage.recorder import Recorder
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
