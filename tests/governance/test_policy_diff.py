"""What a change of the policy newly denies and newly allows, as the user reads it."""

from __future__ import annotations

from hypothesis import given, settings

from governance.assets import Asset, Definitions
from governance.policy import Policy
from governance.policy_diff import PolicyDiff, policy_diff
from tests.governance.pictures import TODAY, clinic, judge, policy
from tests.governance.test_labels_properties import repositories

OWNERS = policy(packs="ownership")
BOTH = policy()


def differ(old: Policy, new: Policy, definitions: Definitions | None = None) -> PolicyDiff:
    return policy_diff(definitions or clinic(tags={}), old, new, places={}, today=TODAY)


def test_what_a_new_rule_denies_is_listed_with_its_gates() -> None:
    found = differ(OWNERS, BOTH)
    assert found.exit_code == 1
    assert found.text().startswith(
        "On the 4 objects of the registry the new policy\n"
        "newly denies:\n"
        "  at apply, retrieve, materialize, online, train, deploy\n"
        "  deny  residency.required  data_source:visits\n"
        "        path: visits\n"
    )
    assert found.text().endswith("newly allows: nothing\nfeast apply of what is registered: allowed before, denied now")


def test_what_a_rule_that_is_gone_allows_is_listed_and_no_reason_to_stop() -> None:
    found = differ(BOTH, OWNERS)
    assert found.exit_code == 0
    assert "newly denies: nothing\nnewly allows:\n" in found.text()
    assert [one["rule"] for one in found.as_json()["allows"]] == ["residency.required"] * 3
    assert found.as_json()["new"] == {"policy": OWNERS.sha256, "outcome": "allow"}


def test_a_level_that_is_lowered_at_one_gate_is_a_difference_there() -> None:
    lowered = policy("levels: {residency.required: {apply: warn}}\n")
    found = differ(BOTH, lowered)
    assert {one.gates for one in found.allows} == {("apply",)}


def test_purposes_that_are_granted_and_withdrawn_are_listed() -> None:
    old = policy("callers: [{match: 'oidc:role:a', purposes: [care]}]\n", packs="ownership")
    new = policy("callers: [{match: 'oidc:role:a', purposes: [research]}]\n", packs="ownership")
    found = differ(old, new)
    assert (
        "newly grants purpose research to oidc:role:a\nno longer grants purpose care to oidc:role:a\n" in found.text()
    )
    assert found.exit_code == 1


def test_a_policy_does_not_differ_from_itself() -> None:
    assert differ(BOTH, BOTH).text() == (
        "On the 4 objects of the registry the new policy\n"
        "newly denies: nothing\n"
        "newly allows: nothing\n"
        "feast apply of what is registered: denied before, denied now"
    )


@given(repositories())
@settings(deadline=None, max_examples=25)
def test_what_one_policy_newly_denies_the_other_newly_allows(views: list[Asset]) -> None:
    definitions = Definitions("clinic", views)
    there, back = differ(OWNERS, BOTH, definitions), differ(BOTH, OWNERS, definitions)
    assert there.denies == back.allows
    assert there.allows == back.denies == ()
    assert there.apply[1] == judge(definitions, BOTH).allowed
