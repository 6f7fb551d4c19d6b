"""Deciding on each transaction of a SQL registry, and on what is found in one.

The decision is recorded right before the transaction commits. Where it then does not, because the process was killed
or the disk is full, the registry still holds what the decision names as ``over``: that counts on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from feast.infra.registry.sql import SqlRegistry
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import RegistryConfig

from api.feast.denial import FeastRefused
from api.feast.gate import TEARDOWN, ApplyGate, holds_nothing
from api.feast.shadowing import refuse_shadowed_modules
from api.feast.sql.rows import committed_registry
from governance.assets import Definitions
from governance.change import of_change


@dataclass(frozen=True)
class SqlGate:
    """The gate of one repository whose registry is Feast's SQL registry."""

    gate: ApplyGate

    def commit(self, before: RegistryProto, after: RegistryProto) -> None:
        """Decide on what a transaction makes of the registry, for who holds its lock. Raises Denied, FeastRefused."""
        old, new = self.gate.definitions(before), self.gate.definitions(after)
        if old.digest == new.digest:
            return
        refuse_shadowed_modules(self.gate.parts.settings.repo)
        last = self.gate.last()
        self.require(old)
        if holds_nothing(new):
            self.gate.record_teardown(old.digest)
            return
        standing = None if last is None else (old, self.gate.verdict(old))
        self.gate.record(of_change(standing, (new, self.gate.verdict(new))), over=old.digest)

    def decide(self, config: RegistryConfig) -> None:
        """Decide on the whole registry before infrastructure is touched; raises Denied.

        A registry that was filled before it was governed is let in here, or not.
        """
        refuse_shadowed_modules(self.gate.parts.settings.repo)
        with committed_registry(config, self.gate.parts.settings, alone=True) as proto:
            held = self.gate.definitions(proto)
            if self.gate.last() is None and not holds_nothing(held):
                self.gate.record(self.gate.verdict(held), over=held.digest)
                return
            self.require(held)
        self.gate.enforce(self.gate.verdict(held))

    def counting(self, registry: SqlRegistry, definitions: Definitions) -> Definitions:
        """``definitions``, drawn from what Feast has in hand, or what the registry holds by now.

        Feast may have read its tables while somebody else applies, so it is asked again with nobody beside.
        Raises FeastRefused where that is not what the last decision let in.
        """
        if _let_in(definitions, self.gate.last()):
            return definitions
        with committed_registry(registry.registry_config, self.gate.parts.settings, alone=True) as proto:
            now = self.gate.definitions(proto)
            if self.gate.last() is None and not holds_nothing(now):
                raise self._never_decided()
            self.require(now)
        registry.refresh(None)
        return now

    def require(self, found: Definitions) -> None:
        """Return where the last decision let ``found`` in, or where there was none yet. Raises FeastRefused."""
        last = self.gate.last()
        if last is not None and not _let_in(found, last):
            raise self._edited(found)

    def _edited(self, found: Definitions) -> FeastRefused:
        return FeastRefused(
            f"The SQL registry of {self.gate.parts.settings.project} holds the definitions {found.digest}, which the"
            " last recorded decision did not let in. Its tables were written past the plugin, an older backup was put"
            " back, or this is another governance database than the registry was written with. Restore the registry or"
            " the configuration; nothing was read or written."
        )

    def _never_decided(self) -> FeastRefused:
        return FeastRefused(
            f"The SQL registry of {self.gate.parts.settings.project} was filled before it was governed, and nothing of"
            " it was decided yet. Run feast apply."
        )


def _let_in(found: Definitions, last: Mapping[str, Any] | None) -> bool:
    if last is None:
        return holds_nothing(found)
    if last["gate"] == TEARDOWN:
        return holds_nothing(found) or found.digest == last["definitions"]
    return found.digest in (last["definitions"], last.get("over"))
