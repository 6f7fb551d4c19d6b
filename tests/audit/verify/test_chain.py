"""The chain: followed by digests alone, every missing link a gap in words."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from audit.evidence import statement_of
from audit.verify.chain import NO_ORIGIN, Chain, follow
from audit.verify.statement import Statement
from tests.audit.chain_fixture import ENDPOINT, TRAIN, SyntheticChain, build_chain

EARLY = "2020-01-01T00:00:00.000000Z"
ENDED = "00000009-0000-4000-8000-000000000000"


def statements(chain: SyntheticChain) -> list[Statement]:
    return [dataclasses.replace(statement_of(record), index=at) for at, record in enumerate(chain.records.all())]


def gaps(found: Chain) -> set[str]:
    return {link.gap for link in found.gaps}


def test_the_links_lead_from_the_endpoint_to_the_sources(chain: SyntheticChain) -> None:
    found = follow(statements(chain), ENDPOINT)
    assert [(link.source.kind, link.target.kind) for link in found.links] == [
        ("endpoint", "weights"),
        ("weights", "signature"),
        ("weights", "training"),
        ("training", "snapshot"),
        ("snapshot", "retrieval"),
        ("retrieval", "decision"),
        ("retrieval", "source"),
        ("retrieval", "spine"),
        ("endpoint", "materialization"),
        ("materialization", "decision"),
        ("materialization", "source"),
    ]
    assert gaps(found) == {NO_ORIGIN}
    assert len(found.records) == 6


def test_the_order_in_which_statements_come_does_not_matter(chain: SyntheticChain) -> None:
    acts = statements(chain)
    assert follow(reversed(acts), ENDPOINT) == follow(acts, ENDPOINT)


def test_what_was_not_recorded_is_a_gap(chain: SyntheticChain) -> None:
    expected = {
        "decision": "no decision recorded before allowed the definitions in use",
        "retrieval": "no completed retrieval before states the digest of this snapshot",
        "training": "no training record states the digest of these weights",
        "artifact": "no record says that these weights were signed",
    }
    for kind, gap in expected.items():
        assert gap in gaps(follow([act for act in statements(chain) if act.kind != kind], ENDPOINT))
    without = [act for act in statements(chain) if act.kind != "materialization"]
    assert any(gap.startswith("no record of materialization") for gap in gaps(follow(without, ENDPOINT)))


def test_what_was_recorded_only_afterwards_does_not_count(chain: SyntheticChain) -> None:
    acts = [dataclasses.replace(act, index=99) if act.kind == "decision" else act for act in statements(chain)]
    assert "no decision recorded before allowed the definitions in use" in gaps(follow(acts, ENDPOINT))


def test_a_record_that_claims_an_early_time_counts_from_its_leaf_on(chain: SyntheticChain) -> None:
    """Whoever holds the key chooses the time of a record, but not its place in a signed tree."""
    acts = statements(chain)
    training = next(act for act in acts if act.kind == "training")
    invented = dataclasses.replace(training, id="invented", time=EARLY, index=99)
    assert follow([*acts, invented], ENDPOINT) == follow(acts, ENDPOINT)
    late = [dataclasses.replace(act, index=99, time=EARLY) if act is training else act for act in acts]
    assert "no training record states the digest of these weights" in gaps(follow(late, ENDPOINT))


def rematerialized(acts: list[Statement], index: int, **changes: Any) -> Statement:
    """The online values of the chain's view, written again by another run."""
    first = next(act for act in acts if act.kind == "materialization")
    subjects = (("feature_view:labs", "td1-sha256", f"{index:064x}"),)
    predicate = {**first.predicate, "run": f"again {index}", **changes}
    return dataclasses.replace(first, id=f"again {index}", index=index, subjects=subjects, predicate=predicate)


def online(found: Chain) -> list[str]:
    return [link.relation for link in found.links if link.target.kind == "materialization"]


def test_what_was_written_online_while_it_served_is_in_the_chain_and_says_from_when(chain: SyntheticChain) -> None:
    acts = statements(chain)
    again = rematerialized(acts, 20)
    failed, other = rematerialized(acts, 21, state="FAIL"), rematerialized(acts, 22)
    other = dataclasses.replace(other, subjects=(("feature_view:other", "td1-sha256", "0" * 64),))
    before = rematerialized(acts, 1)
    assert online(follow([*acts, again, failed, other, before], ENDPOINT)) == [
        "answers from labs",
        "answers from labs since 2026-03-01 12:00 UTC",
    ]


def test_what_was_written_online_after_it_ended_is_not(chain: SyntheticChain) -> None:
    acts = statements(chain)
    ready = next(act for act in acts if act.kind == "deployment")
    ended = dataclasses.replace(ready, id="ended", index=30, predicate={**ready.predicate, "state": "ended"})
    during, after = rematerialized(acts, 29), rematerialized(acts, 31)
    assert len(online(follow([*acts, during, ended, after], ENDPOINT))) == 2


def test_online_values_that_only_the_end_names_are_followed_too(chain: SyntheticChain) -> None:
    acts = statements(chain)
    ready = next(act for act in acts if act.kind == "deployment")
    named = [{"view": "labs", "materialization": ENDED, "digest": "td1-sha256:" + "0" * 64}]
    predicate = {**ready.predicate, "state": "ended", "online": named}
    ended = dataclasses.replace(ready, id="ended", index=30, predicate=predicate)
    assert any(ENDED in gap for gap in gaps(follow([*acts, ended], ENDPOINT)))


def test_a_source_that_a_storage_names_is_observed_and_one_that_nothing_names_is_a_gap(chain: SyntheticChain) -> None:
    objects = [{"path": "lake/labs.parquet", "size": 3, "etag": "5d41", "version_id": "v7"}]
    delta = {"format": "delta", "id": "8f6c", "version": 0}
    base = {"name": "labs", "uri": "s3://store:8333/lake/labs", "state": "stated", "time": EARLY}

    def links(**state: Any) -> list[tuple[str, str, str]]:
        acts = [
            dataclasses.replace(act, predicate={**act.predicate, "sources": [{**base, **state}]})
            if act.kind == "retrieval"
            else act
            for act in statements(chain)
        ]
        found = follow(acts, ENDPOINT).links
        return [(one.target.name, one.digest, one.level) for one in found if one.target.kind == "source"][:1]

    assert links(files=objects) == [("lake/labs.parquet", "etag:5d41", "observed")]
    assert links(files=[{"path": "a", "size": 3}], table=delta) == [(base["uri"], "delta:8f6c@0", "observed")]
    assert links(files=[{"path": "a", "size": 3}]) == [(base["uri"], "", "")]


def test_names_alone_lead_nowhere(chain: SyntheticChain) -> None:
    acts = [
        dataclasses.replace(act, subjects=(("model:liver", "oms1-sha256", "0" * 64),))
        if act.kind == "training"
        else act
        for act in statements(chain)
    ]
    assert "no training record states the digest of these weights" in gaps(follow(acts, ENDPOINT))


def test_of_two_runs_with_the_same_weights_the_one_of_the_artifact_counts(chain: SyntheticChain) -> None:
    acts = statements(chain)
    training = next(act for act in acts if act.kind == "training")
    twin = dataclasses.replace(training, id="twin", time=training.time[:-2] + "9Z", predicate={"run": "another"})
    found = follow([*acts, twin], ENDPOINT)
    assert [link.target.name for link in found.links if link.target.kind == "training"] == [TRAIN]


def test_an_endpoint_that_was_never_ready_has_no_links(chain: SyntheticChain) -> None:
    assert follow(statements(chain), "another") == Chain("another", None, ())


def test_a_snapshot_named_at_random_is_followed_by_its_name(tmp_path: Path) -> None:
    chain = build_chain(tmp_path, min_rows=1000)
    assert gaps(follow(statements(chain), ENDPOINT)) == {NO_ORIGIN}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def paths(value: object, prefix: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where something stands inside a document."""
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [prefix, *(path for key, inner in items for path in paths(inner, (*prefix, key)))]


def put(document: Any, path: tuple[str | int, ...], value: object) -> Any:
    if not path:
        return value
    copy: Any = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = put(document[path[0]], path[1:], value)
    return copy


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_predicates_of_any_shape_never_crash_it(chain: SyntheticChain, data: st.DataObject) -> None:
    acts = statements(chain)
    index = data.draw(st.integers(0, len(acts) - 1))
    predicate = dict(acts[index].predicate)
    path = data.draw(st.sampled_from([path for path in paths(predicate) if path]))
    acts[index] = dataclasses.replace(acts[index], predicate=put(predicate, path, data.draw(anything)))
    assert isinstance(follow(acts, ENDPOINT), Chain)
