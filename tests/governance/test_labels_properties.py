"""Laws that hold for every repository: labels only ever narrow, and rules only ever refuse more."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from governance.assets import Asset, Definitions, Input
from governance.labels import EffectiveLabels, labels_of
from governance.policy import Policy
from tests.governance.pictures import TODAY, asset, judge, policy

TAGS = st.fixed_dictionaries(
    {},
    optional={
        "residency": st.sampled_from(["DE", "FR", "EU", "EEA", "DE,NO", "nowhere-known"]),
        "pii": st.sampled_from(["true", "false", "maybe"]),
        "purpose": st.sampled_from(["care", "care,research", "research"]),
    },
)
PLAIN, FULL = policy(packs="ownership"), policy()
STRICT = policy('rules: [{id: short.names, on: feature_view, when: "size(name) > 1", message: too long}]\n')
WARNING = policy("levels: {residency.place: {apply: warn}, residency.required: {apply: audit}}\n")
PACKED = policy(packs="residency, ownership, pii, gdpr-art5, eu-ai-act-art10")
PLACES = {"registry": ("file:///r",), "online_store": ("redis://cache-fr1:6379/0",)}


@st.composite
def repositories(draw: st.DrawFn) -> list[Asset]:
    """Up to eight views in an order in which each reads only earlier ones."""
    views: list[Asset] = []
    for number in range(draw(st.integers(1, 8))):
        earlier = draw(st.lists(st.integers(0, number - 1), unique=True, max_size=3)) if number else []
        reads = [f"feature_view:{'v' * (one + 1)}" for one in earlier]
        owner = draw(st.sampled_from(["", "ana"]))
        facts = {"online": draw(st.booleans())}
        name = "v" * (number + 1)
        views.append(asset(f"feature_view:{name}", *reads, tags=draw(TAGS), owner=owner, facts=facts))
    return views


def _within(narrow: EffectiveLabels, wide: EffectiveLabels) -> bool:
    """Whether ``narrow`` permits nothing that ``wide`` forbids."""
    residency = wide.residency is None or (narrow.residency is not None and narrow.residency <= wide.residency)
    purpose = wide.purpose is None or (narrow.purpose is not None and narrow.purpose <= wide.purpose)
    return residency and purpose and narrow.pii >= wide.pii


def _labels(views: list[Asset], view: Asset) -> EffectiveLabels:
    return labels_of(Definitions("clinic", views), FULL, view.key, today=TODAY)


@given(repositories())
@settings(deadline=None)
def test_nothing_is_freer_than_what_it_is_made_from(views: list[Asset]) -> None:
    by_key = {view.key: view for view in views}
    for view in views:
        for one in view.inputs:
            assert _within(_labels(views, view), _labels(views, by_key[one.key]))


@given(repositories(), st.data())
@settings(deadline=None)
def test_one_more_input_makes_nothing_freer(views: list[Asset], data: st.DataObject) -> None:
    extra = asset("data_source:extra", tags=data.draw(TAGS))
    changed = data.draw(st.integers(0, len(views) - 1))
    reading = replace(views[changed], inputs=(*views[changed].inputs, Input(extra.key)))
    after = [extra, *views[:changed], reading, *views[changed + 1 :]]
    for view in views:
        assert _within(_labels(after, view), _labels(views, view))


@given(repositories(), st.sampled_from([(PLAIN, FULL), (FULL, STRICT), (WARNING, FULL), (FULL, PACKED)]))
@settings(deadline=None)
def test_one_more_rule_never_allows_more(views: list[Asset], pair: tuple[Policy, Policy]) -> None:
    fewer, more = (judge(Definitions("clinic", views), one, places=PLACES) for one in pair)
    assert fewer.allowed or not more.allowed


@given(repositories(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_objects_changes_no_verdict(views: list[Asset], chance: Random) -> None:
    shuffled = list(views)
    chance.shuffle(shuffled)
    one, other = (judge(Definitions("clinic", order), FULL, places=PLACES) for order in (views, shuffled))
    assert one.as_json() == other.as_json()


@given(repositories(), st.data())
@settings(deadline=None)
def test_what_is_denied_for_some_objects_is_denied_for_all(views: list[Asset], data: st.DataObject) -> None:
    definitions = Definitions("clinic", views)
    some = data.draw(st.lists(st.sampled_from([view.key for view in views]), min_size=1, unique=True))
    part = judge(definitions, FULL, places=PLACES, objects=some)
    assert part.allowed or not judge(definitions, FULL, places=PLACES).allowed
