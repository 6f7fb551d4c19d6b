"""A registry written object by object is told, in whatever order, what the whole would be told."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from governance.assets import Asset, Definitions
from governance.change import Judged, of_change
from governance.policy import Policy
from tests.governance.pictures import asset, broken, clinic, judge, policy
from tests.governance.test_labels_properties import FULL, PACKED, PLACES, repositories


def _judged(assets: Sequence[Asset], by: Policy) -> Judged:
    definitions = Definitions("clinic", assets)
    return definitions, judge(definitions, by, places=PLACES)


@given(repositories(), st.sampled_from([FULL, PACKED]), st.randoms())
@settings(deadline=None)
def test_any_order_of_writing_is_told_exactly_what_the_whole_is_told(
    views: list[Asset], by: Policy, order: Random
) -> None:
    order.shuffle(views)
    states = [None, *(_judged(views[: number + 1], by) for number in range(len(views)))]
    told: set[tuple[str, str]] = set()
    for before, after in pairwise(states):
        assert after is not None
        told |= broken(of_change(before, after))
    assert told == broken(_judged(views, by)[1])


@given(repositories(), st.randoms())
@settings(deadline=None)
def test_what_the_whole_may_be_is_denied_in_no_order_of_writing(views: list[Asset], order: Random) -> None:
    allowed = [view for view in views if not broken(_judged([view], FULL)[1])]
    before = None
    order.shuffle(allowed)
    for number in range(len(allowed)):
        after = _judged(allowed[: number + 1], FULL)
        assert of_change(before, after).allowed
        before = after


def test_what_was_there_before_the_change_is_not_told_again() -> None:
    by = policy('rules: [{id: short.names, on: feature_view, when: "size(name) > 1", message: too long}]\n')
    before = (clinic(), judge(clinic(), by))
    assert not before[1].allowed
    more = Definitions("clinic", [*clinic().assets, asset("feature_view:other", "data_source:visits")])
    assert broken(of_change(before, (more, judge(more, by)))) == {("short.names", "feature_view:other")}
