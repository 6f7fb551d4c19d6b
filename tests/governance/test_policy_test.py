# ruff: noqa: E501
# A file and what is said about it read best in one line each.
"""A policy's own tests: what is read, what passes, what fails and why, and what they cover."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.errors import ConfigurationError, PolicyError
from governance.policy_cases import read_cases
from governance.policy_test import Report, run_cases

POLICY = """\
version: 1
zones: {EU: [DE, FR]}
places:
  - {match: "file://**", zone: DE}
  - {match: "redis://cache-fr*:6379/*", zone: FR}
packs: [residency, ownership]
rules:
  - {id: ttl.bounded, on: feature_view, when: "ttl_seconds == 0", message: no ttl}
exemptions:
  - {rule: ownership.owner, object: "data_source:old_*", owner: ana, reason: r, approver: bo, expires: 2027-01-31}
"""
OBJECTS = """\
policy: ../policy.yaml
today: 2026-06-01
objects:
  data_source:visits: {owner: lab, tags: {residency: DE}, places: ["file:///visits.parquet"]}
  feature_view:labs:
    owner: lab
    inputs: [data_source:visits]
    fields: {albumin: {}, name: {pii: "true"}}
    facts: {online: true, ttl_seconds: 86400}
"""
PASSING = f"""\
{OBJECTS}\
tests:
  - name: what is here is allowed
    expect: {{outcome: allow, findings: []}}
  - name: a cache in France is refused
    places: {{online_store: ["redis://cache-fr1:6379/0"]}}
    expect:
      outcome: deny
      findings:
        - {{rule: residency.place, object: "feature_view:labs", level: deny, message: "lies in FR; allowed: DE"}}
  - name: a view for ever is refused
    objects:
      feature_view:labs: {{owner: lab, tags: {{residency: DE}}, facts: {{online: false, ttl_seconds: 0}}}}
    expect: {{outcome: deny, findings: [{{rule: ttl.bounded, object: "feature_view:labs"}}]}}
  - name: the old sources are exempt
    objects: {{"data_source:old_a": {{tags: {{residency: DE}}}}}}
    expect: {{outcome: allow, exempted: [{{rule: ownership.owner, object: "data_source:old_a"}}]}}
  - name: until the exemption ends
    today: 2027-02-01
    objects: {{"data_source:old_a": {{tags: {{residency: DE}}}}}}
    without: ["feature_view:labs"]
    expect: {{outcome: deny, findings: [{{rule: ownership.owner, object: "data_source:old_a"}}]}}
  - name: a name is asked for without a purpose
    gate: retrieve
    objects: {{"data_source:visits": {{owner: lab, tags: {{residency: DE, purpose: care}}}}}}
    asked: {{feature_view:labs: [name]}}
    expect: {{outcome: deny, findings: [{{rule: purpose.required, object: "feature_view:labs"}}]}}
  - name: and with one
    gate: retrieve
    purpose: care
    caller: process:me@here
    objects: {{"data_source:visits": {{owner: lab, tags: {{residency: DE, purpose: care}}}}}}
    asked: {{feature_view:labs: [name]}}
    expect: {{outcome: allow}}
"""


def written(place: Path, text: str, *, policy: str = POLICY) -> Path:
    """A directory of tests, with the policy beside it."""
    (place / "policy.yaml").write_text(policy)
    (place / "cases").mkdir()
    (place / "cases" / "labs.yaml").write_text(text)
    return place / "cases"


def run(place: Path, text: str) -> Report:
    return run_cases(read_cases(written(place, text)))


def test_cases_that_hold_pass_and_coverage_names_what_no_case_violates(tmp_path: Path) -> None:
    report = run(tmp_path, PASSING)
    assert report.exit_code == 0
    assert report.text() == (
        "ok      labs.yaml:11  what is here is allowed\n"
        "ok      labs.yaml:13  a cache in France is refused\n"
        "ok      labs.yaml:19  a view for ever is refused\n"
        "ok      labs.yaml:23  the old sources are exempt\n"
        "ok      labs.yaml:26  until the exemption ends\n"
        "ok      labs.yaml:31  a name is asked for without a purpose\n"
        "ok      labs.yaml:36  and with one\n"
        "\n"
        "7 tests, 0 failed\n"
        "rules that some test violates: 4 of 10\n"
        "never violated: exemptions.expiring, inputs.defined, labels.readable, purpose.allowed, residency.empty,"
        " residency.required"
    )
    assert report.as_json()["coverage"]["ownership.owner"] == 2


@pytest.mark.parametrize(
    ("expect", "wrong"),
    [
        ("{outcome: deny}", ["expected deny, the verdict is allow"]),
        (
            "{outcome: allow, findings: [{rule: ttl.bounded, object: 'feature_view:labs', level: warn, message: no}]}",
            ["missing finding: ttl.bounded at feature_view:labs, level warn, saying 'no'"],
        ),
        (
            "{outcome: allow, exempted: [{rule: ttl.bounded, object: 'feature_view:labs'}]}",
            ["missing exempted finding: ttl.bounded at feature_view:labs"],
        ),
    ],
)
def test_a_case_that_fails_says_what_is_missing(tmp_path: Path, expect: str, wrong: list[str]) -> None:
    report = run(tmp_path, f"{OBJECTS}tests:\n  - {{name: wrong, expect: {expect}}}\n")
    assert report.exit_code == 1
    assert list(report.outcomes[0].wrong) == wrong
    assert report.text().startswith("FAILED  labs.yaml:11  wrong\n        " + wrong[0])
    assert "\n1 test, 1 failed\n" in report.text()


def test_a_case_that_fails_says_what_was_not_expected(tmp_path: Path) -> None:
    bare = '"data_source:bare": {tags: {residency: DE}}'
    report = run(
        tmp_path,
        f"{OBJECTS}tests:\n"
        f"  - {{name: one, objects: {{{bare}}}, expect: {{outcome: allow}}}}\n"
        f"  - {{name: two, objects: {{{bare}}}, expect: {{outcome: deny, findings: []}}}}\n",
    )
    assert [one.wrong for one in report.outcomes] == [
        ("expected allow, the verdict is deny", "found: deny ownership.owner at data_source:bare: no owner"),
        ("unexpected finding: deny ownership.owner at data_source:bare: no owner",),
    ]


def test_another_policy_can_be_put_to_the_same_tests(tmp_path: Path) -> None:
    cases = written(tmp_path, f"{OBJECTS}tests:\n  - {{name: fine, expect: {{outcome: allow}}}}\n")
    (tmp_path / "other.yaml").write_text(POLICY.replace("ttl_seconds == 0", "ttl_seconds > 0"))
    assert run_cases(read_cases(cases)).failed == 0
    assert run_cases(read_cases(cases, policy=tmp_path / "other.yaml")).failed == 1


BEGIN = "policy: ../policy.yaml\ntoday: 2026-06-01\n"
ONE = "tests: [{name: a, expect: {outcome: allow}}]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"today: 2026-06-01\n{ONE}", "labs.yaml:1: this file names no policy; write policy: with a path relative"),
        (f"policy: ../policy.yaml\n{ONE}", "labs.yaml:2: neither this test nor its file says today:, and exemptions end"),
        (f"{BEGIN}test: []\n{ONE}", "labs.yaml:3: found unknown key 'test' in a file of tests; expected one of: policy,"),
        (f"{BEGIN}tests: [{{name: a}}]\n", "labs.yaml:3: a test lacks expect; write it"),
        (f"{BEGIN}tests: [{{name: a, expect: {{outcome: maybe}}}}]\n", "found 'maybe' as outcome; expected one of: allow, deny"),
        (
            f"{BEGIN}tests: [{{name: a, expect: {{outcome: allow, findings: [{{rule: no.such, object: x}}]}}}}]\n",
            "labs.yaml:3: found unknown rule 'no.such'; the policy has: exemptions.expiring,",
        ),
        (
            f"{BEGIN}tests: [{{name: a, expect: {{outcome: allow, findings: [{{rule: ttl.bounded}}]}}}}]\n",
            "labs.yaml:3: an expected finding lacks object; write it, as kind:name",
        ),
        (f"{BEGIN}objects: {{labs: {{}}}}\n{ONE}", "labs.yaml:3: found object 'labs'; expected kind:name, kind one of:"),
        (
            f"{BEGIN}objects: {{'feature_view:labs': {{facts: {{ttl: 1}}}}}}\n{ONE}",
            "labs.yaml:3: found unknown fact 'ttl' of feature_view; known: description, online,",
        ),
        (
            f"{BEGIN}objects: {{'feature_view:labs': {{facts: {{ttl_seconds: long}}}}}}\n{ONE}",
            "labs.yaml:3: found 'long' (text) as fact ttl_seconds; expected int",
        ),
        (
            f"{BEGIN}objects: {{'feature_view:labs': {{tags: {{pii: true}}}}}}\n{ONE}",
            "labs.yaml:3: found 'true' (bool) as value of a tag; expected text (quote it, if it is meant as text)",
        ),
        (
            f"{BEGIN}tests: [{{name: a, without: ['entity:x'], expect: {{outcome: allow}}}}]\n",
            "labs.yaml:3: found 'entity:x' in without; there is no such object here to leave out",
        ),
        (
            f"{BEGIN}objects: {{'feature_view:a': {{inputs: ['feature_view:b']}}, 'feature_view:b': {{inputs: ['feature_view:a']}}}}\n{ONE}",
            "labs.yaml:4: definitions are made from each other in a circle: feature_view:a <- feature_view:b",
        ),
    ],
)  # fmt: skip
def test_an_error_in_a_file_of_tests_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PolicyError) as error:
        read_cases(written(tmp_path, text))
    assert message in str(error.value)


def test_a_broken_policy_is_an_error_and_no_failed_test(tmp_path: Path) -> None:
    cases = written(tmp_path, f"{BEGIN}{ONE}", policy="version: 1\n")
    with pytest.raises(PolicyError, match=r"^policy\.yaml:1: this policy checks nothing"):
        read_cases(cases)


def test_a_directory_without_tests_is_a_wrong_question(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^There is no directory .*none\. Expected one with tests"):
        read_cases(tmp_path / "none")
    (tmp_path / "policy.yaml").write_text(POLICY)
    with pytest.raises(ConfigurationError, match=r"^Found no test of a policy below .* each with name and expect\.$"):
        read_cases(tmp_path)
