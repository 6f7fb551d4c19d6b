from __future__ import annotations

from datetime import timedelta

from governance.assets import Input
from governance.decide import decide
from governance.known import known_labels, known_verdict
from governance.labels import labels_of_request
from governance.policy import Policy
from governance.verdict import Verdict
from tests.governance.pictures import TODAY, clinic, policy

ASKED = (Input("feature_view:labs", ("bilirubin",)),)
DEFINITIONS, POLICY = clinic(), policy()


def _known(by: Policy = POLICY, **more: object) -> Verdict:
    options = {"places": {"objects": ("file:///here",)}, "purpose": None, "caller": "me", "today": TODAY, **more}
    return known_verdict(DEFINITIONS, by, gate="retrieve", objects=ASKED, **options)  # type: ignore[arg-type] # as given


def test_a_verdict_is_that_of_decide_and_computed_once() -> None:
    expected = decide(
        DEFINITIONS,
        POLICY,
        gate="retrieve",
        places={"objects": ("file:///here",)},
        objects=ASKED,
        caller="me",
        today=TODAY,
    )
    assert _known() == expected
    assert _known() is _known()


def test_whatever_a_verdict_depends_on_makes_another_one() -> None:
    first = _known()
    assert _known(policy()) is not first, "an equal policy is another object"
    assert _known(places={"objects": ("s3://elsewhere/x",)}) != first
    assert _known(caller="you") is not first
    assert _known(purpose="care") is not first
    assert _known(today=TODAY + timedelta(days=1)) is not first


def test_labels_are_those_of_the_request_and_computed_once() -> None:
    expected = labels_of_request(DEFINITIONS, POLICY, ASKED, today=TODAY)
    assert known_labels(DEFINITIONS, POLICY, ASKED, today=TODAY) == expected
    assert known_labels(DEFINITIONS, POLICY, ASKED, today=TODAY) is known_labels(
        DEFINITIONS, POLICY, ASKED, today=TODAY
    )
    assert known_labels(clinic(tags={"residency": "FR"}), POLICY, ASKED, today=TODAY) != expected
