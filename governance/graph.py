"""Which key is made from which others, in an order that can be walked."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from governance.errors import ConfigurationError


class Graph:
    """A directed graph of keys; an edge goes from a thing to what it is made from."""

    def __init__(
        self, inputs: Mapping[str, Iterable[str]], *, circle: str = "definitions are made from each other in a circle"
    ) -> None:
        """Keys and what each is made from. An input that is itself no key is left out of the graph.

        ``circle`` says in the error what a cycle would mean here.
        """
        self._circle = circle
        self.inputs: Mapping[str, tuple[str, ...]] = {
            key: tuple(sorted({one for one in made_from if one in inputs})) for key, made_from in inputs.items()
        }

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Every key after all that it is made from. Raises ConfigurationError that prints a cycle."""
        sorter = graphlib.TopologicalSorter({key: self.inputs[key] for key in sorted(self.inputs)})
        try:
            return tuple(sorter.static_order())
        except graphlib.CycleError as error:
            raise ConfigurationError(
                f"{self._circle}: {' <- '.join(_rotated(error.args[1]))}; break it at one of them"
            ) from None

    def ancestors(self, keys: Iterable[str]) -> frozenset[str]:
        """``keys`` and everything they are made from."""
        found: set[str] = set()
        waiting = [key for key in keys if key in self.inputs]
        while waiting:
            key = waiting.pop()
            if key not in found:
                found.add(key)
                waiting.extend(self.inputs[key])
        return frozenset(found)


def _rotated(cycle: Sequence[str]) -> list[str]:
    """The same circle, read from product to input, beginning at its smallest key: one text for one cycle."""
    ring = list(reversed(cycle))[:-1]
    start = ring.index(min(ring))
    return [*ring[start:], *ring[:start], ring[start]]
