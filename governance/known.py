"""Verdicts and labels that were computed before in this process.

Both are pure: the same definitions, policy, places, purpose, caller and day give the same answer. A retrieval asks
for them many times a minute, each time with the very objects of the last time (a policy is parsed again, and a
picture drawn again, only when its bytes are others), so the objects themselves are the keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Final, Generic, TypeVar

from governance.assets import Definitions, Input
from governance.decide import decide
from governance.labels import EffectiveLabels, labels_of_request
from governance.policy import Policy
from governance.verdict import Gate, Verdict

_KEPT: Final = 256

_Value = TypeVar("_Value")


class _Very(Generic[_Value]):
    """This very object as a key; while the key is kept, so is the object, and no other has its identity."""

    def __init__(self, value: _Value) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Very) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def known_verdict(
    definitions: Definitions,
    policy: Policy,
    *,
    gate: Gate,
    places: Mapping[str, tuple[str, ...]],
    objects: Iterable[Input],
    purpose: str | None,
    caller: str | None,
    today: date,
) -> Verdict:
    """What :func:`governance.decide.decide` says, computed once. Raises as that does."""
    asked, where = tuple(objects), tuple(sorted(places.items()))
    return _verdict(_Very(definitions), _Very(policy), gate, where, asked, purpose, caller, today)


def known_labels(definitions: Definitions, policy: Policy, asked: Iterable[Input], *, today: date) -> EffectiveLabels:
    """What :func:`governance.labels.labels_of_request` says, computed once."""
    return _labels(_Very(definitions), _Very(policy), tuple(asked), today)


@lru_cache(maxsize=_KEPT)
def _verdict(  # noqa: PLR0917 - private, and a key has no names
    definitions: _Very[Definitions],
    policy: _Very[Policy],
    gate: Gate,
    places: tuple[tuple[str, tuple[str, ...]], ...],
    asked: tuple[Input, ...],
    purpose: str | None,
    caller: str | None,
    today: date,
) -> Verdict:
    return decide(
        definitions.value,
        policy.value,
        gate=gate,
        places=dict(places),
        objects=asked,
        purpose=purpose,
        caller=caller,
        today=today,
    )


@lru_cache(maxsize=_KEPT)
def _labels(
    definitions: _Very[Definitions], policy: _Very[Policy], asked: tuple[Input, ...], today: date
) -> EffectiveLabels:
    return labels_of_request(definitions.value, policy.value, asked, today=today)
