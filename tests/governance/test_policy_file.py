from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest

from governance.errors import PolicyError
from governance.places import PlaceRule
from governance.policy import Caller
from governance.policy_file import load_policy, parse_policy
from governance.rules.packs import BUILT_IN
from governance.verdict import Level
from tests.governance.samples import ACCEPTED, REFUSED_BY_BOTH, REFUSED_BY_PARSER, WHOLE


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_the_grammar_allows_is_read(text: str) -> None:
    assert parse_policy(text.encode(), name="policy.yaml").rules


@pytest.mark.parametrize(("text", "message"), [*REFUSED_BY_BOTH.items(), *REFUSED_BY_PARSER.items()])
def test_an_error_names_file_and_line_and_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as error:
        parse_policy(text.encode(), name="policy.yaml")
    assert str(error.value).startswith("policy.yaml:")
    assert message in str(error.value)


def test_every_section_is_read() -> None:
    policy = parse_policy(WHOLE.encode(), name="policy.yaml")
    assert policy.zones.expand(["EEA"]) == {"DE", "FR", "NO"}
    assert policy.places[0] == PlaceRule("file://**", "DE")
    assert policy.labels["confidentiality"].values == ("public", "internal", "secret")
    assert policy.levels["ownership.owner"] == {"apply": Level.DENY, "retrieve": Level.WARN}
    assert policy.rules[-1].id == "ttl.bounded"
    assert policy.exemptions[0].expires == date(2027, 1, 31)
    assert policy.declassifications[0].drops == ("pii",)
    assert policy.callers == (Caller(match="oidc:role:research", purposes=("research",)),)


def test_norway_is_a_country_and_not_a_boolean() -> None:
    text = "version: 1\npacks: [residency]\nzones: {NORDIC: [NO]}\nplaces: [{match: a, zone: NO}]\n"
    assert parse_policy(text.encode(), name="policy.yaml").zone("a") == "NO"


def test_a_policy_is_named_by_the_hash_of_its_exact_bytes(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"# a comment\r\n" + WHOLE.encode())
    assert load_policy(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_policy_that_is_gone_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        PolicyError, match=r"found no policy that can be read at .*\(No such file.*correct governance\.policy"
    ):
        load_policy(tmp_path / "policy.yaml")


def test_a_policy_that_is_not_utf_8_says_on_which_line() -> None:
    with pytest.raises(PolicyError, match=r"^policy\.yaml:2: found a byte that is not UTF-8"):
        parse_policy(b"version: 1\npacks: [\xff]\n", name="policy.yaml")


def test_every_rule_has_a_help_that_begins_with_a_sentence() -> None:
    for rule in BUILT_IN.values():
        assert rule.help.partition("\n")[0].endswith((".", ",")), rule.id


def test_the_only_granted_purpose_is_taken_where_none_is_stated() -> None:
    more = "callers: [{match: 'oidc:role:*', purposes: [care]}, {match: 'oidc:role:two', purposes: [research]}]\n"
    policy = parse_policy(f"version: 1\npacks: [residency]\n{more}".encode(), name="policy.yaml")
    assert policy.purpose_of(None, caller="oidc:role:one") == "care"
    assert policy.purpose_of(None, caller="oidc:role:two") is None
    assert policy.purpose_of("research", caller="oidc:role:one") == "research"
    assert policy.purpose_of(None, caller=None) is None
