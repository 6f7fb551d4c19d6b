"""Zones: named sets of jurisdictions, which nest (DE in EU in EEA)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from governance.errors import PolicyError
from governance.graph import Graph


class Zones:
    """The zones a policy declares; a member that is itself no zone is a jurisdiction.

    Zones({"EU": ["DE", "FR"], "EEA": ["EU", "NO"]}).expand(["EEA"]) == {"DE", "FR", "NO"}
    """

    def __init__(self, members: Mapping[str, Iterable[str]]) -> None:
        """Raises PolicyError for an empty zone, ConfigurationError for a cycle (printed)."""
        declared = {zone: tuple(inside) for zone, inside in members.items()}
        everything = {**{name: () for inside in declared.values() for name in inside}, **declared}
        self._jurisdictions: dict[str, frozenset[str]] = {}
        for name in Graph(everything, circle="zones hold each other in a circle").order:
            self._jurisdictions[name] = self._expanded(name, declared)

    def _expanded(self, name: str, declared: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
        if name not in declared:
            return frozenset([name])
        if not declared[name]:
            raise PolicyError(f"zone {name} is empty: nothing could ever be known to lie in it; name its jurisdictions")
        return frozenset().union(*(self._jurisdictions[inside] for inside in declared[name]))

    @property
    def names(self) -> tuple[str, ...]:
        """Every zone and jurisdiction, sorted."""
        return tuple(sorted(self._jurisdictions))

    def __contains__(self, name: object) -> bool:
        return name in self._jurisdictions

    def expand(self, names: Iterable[str]) -> frozenset[str]:
        """The jurisdictions that lie in any of ``names``. Raises KeyError for a name nobody declared."""
        return frozenset().union(*(self._jurisdictions[name] for name in names))
