"""Labels that come with a pack: they exist where a policy names the pack, and are no words of other policies.

``special-category`` follows Art. 9(1) GDPR, ``ground`` Art. 6(1) and 9(2), ``retention`` is an ISO 8601 period, and
``bias-relevant`` marks what Art. 10(2)(f) of the AI Act has examined.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from governance.label_types import Flow, LabelType, Unreadable, Value

SPECIAL_CATEGORY: Final = "special-category"
GROUND: Final = "ground"
RETENTION: Final = "retention"
BIAS_RELEVANT: Final = "bias-relevant"

_DAYS: Final = {"Y": 365, "M": 30, "W": 7, "D": 1}
"""Days in a unit, rounded down, so that a period is never taken for longer than it is."""

_PERIOD: Final = re.compile(r"P(?=[0-9])(?:([0-9]+)Y)?(?:([0-9]+)M)?(?:([0-9]+)W)?(?:([0-9]+)D)?")


class Period(LabelType):
    """A label whose value is a time, as in ``P400D`` or ``P2Y``; the shortest of several flows on."""

    __slots__ = ()

    def read(self, tag: object) -> Value | Unreadable:
        """The period in whole days: a year counts 365 of them, a month 30."""
        found = _PERIOD.fullmatch(tag) if isinstance(tag, str) else None
        if found is None:
            return Unreadable(f"{self.name}={tag!r}, which is no period", "a period such as P400D, P6M or P2Y")
        counts = zip(found.groups(), _DAYS.values(), strict=True)
        return frozenset([f"P{sum(int(count) * days for count, days in counts if count)}D"])

    def join(self, one: Value, other: Value) -> Value:
        """The shorter of the two."""
        return min(one, other, key=days_of)


def days_of(value: Value) -> int:
    """The days of a value of :class:`Period`."""
    return min(int(text[1:-1]) for text in value)


_SPECIAL = LabelType(
    SPECIAL_CATEGORY,
    Flow.UNION,
    values=(
        "ethnic-origin",
        "political-opinion",
        "belief",
        "trade-union",
        "genetic",
        "biometric",
        "health",
        "sex-life",
    ),
)
_GROUND = LabelType(
    GROUND, Flow.UNION, values=(*(f"6(1)({one})" for one in "abcdef"), *(f"9(2)({one})" for one in "abcdefghij"))
)

PACK_LABELS: Final[Mapping[str, tuple[LabelType, ...]]] = {
    "pii": (_SPECIAL,),
    "gdpr-art5": (_SPECIAL, _GROUND, Period(RETENTION, Flow.INTERSECTION)),
    "eu-ai-act-art10": (LabelType(BIAS_RELEVANT, Flow.MAX, values=("false", "true")),),
}
"""The labels that each pack brings."""


def labels_of_packs(packs: Iterable[str]) -> dict[str, LabelType]:
    """Every label that one of ``packs`` brings, by name."""
    return {label.name: label for pack in packs for label in PACK_LABELS.get(pack, ())}
