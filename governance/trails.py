"""Where a label came from: the way it was inherited, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from governance.label_types import LabelType, Value


@dataclass(frozen=True, slots=True)
class Trail:
    """The way of one label from the thing that has it back to the tag that declared it."""

    key: str
    """Key of the asset this step is at."""
    origin: Trail | None
    """The step before; ``None`` where the tag stands."""
    said: str
    """The tag, as ``residency=DE``; at a field ``.field: pii=true``."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys from here to the tag."""
        keys, step = [self.key], self.origin
        while step is not None:
            keys.append(step.key)
            step = step.origin
        return tuple(keys)

    @property
    def path(self) -> tuple[str, ...]:
        """Names to print, joined by ``" <- "``: ``liver_risk_v1 <- albi <- labs: residency=DE``.

        Two objects of one name are told apart by their kind.
        """
        keys = self.keys
        names = [key.partition(":")[2] for key in keys]
        steps = [key if names.count(name) > 1 else name for key, name in zip(keys, names, strict=True)]
        return (*steps[:-1], f"{steps[-1]}{self.said if self.said.startswith('.') else f': {self.said}'}")


@dataclass(frozen=True, slots=True)
class Held:
    """One label's value at one asset or field, with every trail that made it what it is."""

    value: Value
    trails: tuple[Trail, ...]

    def at(self, key: str) -> Held:
        """The same label, inherited by the asset ``key``."""
        return Held(self.value, tuple(Trail(key, trail, trail.said) for trail in self.trails))


def joined(label: LabelType, one: Held, other: Held) -> Held:
    """What follows from both; of two that say the same, the first and its trails stay."""
    if one is other or one.value == other.value:
        return one
    value = label.join(one.value, other.value)
    if value == one.value:
        return one
    if value == other.value:
        return other
    return Held(value, (*one.trails, *(trail for trail in other.trails if trail not in one.trails)))


State = Mapping[str, Held]
"""The labels of one asset or field, by name; a label nobody declared is absent."""


def merged(labels: Mapping[str, LabelType], one: State, other: State) -> State:
    """Both states together."""
    if not one or not other or one is other:
        return one or other
    result = dict(one)
    for name, held in other.items():
        result[name] = joined(labels[name], result[name], held) if name in result else held
    return result
