"""The head of a governed registry, held against the recorded decisions: how it is read, and how it changes.

    head.json              which version counts and the policy that allowed it, signed
    next.json              the head of a commit under way; after a crash it is completed if its decision is recorded
    versions/<sha256>.pb   the registry's protobufs, by the SHA-256 of their bytes, never changed
    policies/<sha256>.yaml the policy that allowed a version, likewise

A commit writes the version, the head beside the old one, the recorded decision, and last of all the head in its place,
by compare-and-swap. One process at a time does so, among all that record in one governance database: the lock is
there, since a registry on S3 has none.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.utils import _utc_now

from api.feast.denial import FeastRefused
from api.feast.gate import ApplyGate, holds_nothing
from api.feast.registry_head import HEAD, NEXT, Head, SignedHead
from api.feast.registry_version import policy_name, read_version, version_name
from governance.policy import Policy
from lineage.alone import alone
from lineage.refs import Refs


@dataclass(frozen=True)
class RegistryCommits:
    """Commits of the registry at ``refs``."""

    refs: Refs
    gate: ApplyGate

    def head(self) -> Head | None:
        """The head. Raises FeastRefused where it is not the one that the last decision let in."""
        head = self._ref(HEAD).read()
        if self._agrees(head, self.gate.allowed()):
            return head
        with self.alone():  # a commit that is under way ends first
            return self.settled()

    def load(self, head: Head) -> RegistryProto:
        """What a head names. Raises FeastRefused where it is not what was written."""
        return read_version(self.refs, head.object)

    @contextmanager
    def alone(self) -> Iterator[Callable[[], object]]:
        """No other commit is under way within. Gives a check that raises where that is no longer sure."""
        with alone(self.gate.parts.engine, f"registry-{self.gate.parts.settings.project}") as held:
            yield held

    def settled(self) -> Head | None:
        """The head, for who is alone; a commit that a crash cut off after its decision is completed."""
        head, allowed = self._ref(HEAD).read(), self.gate.allowed()
        if self._agrees(head, allowed):
            return head
        coming = self._ref(NEXT).read()
        if coming is not None and self._agrees(coming, allowed):
            self._complete(head, coming)
            return coming
        raise FeastRefused(
            f"The head of the registry {self.refs.location} {_names(head)}, but the last recorded decision let in"
            f" {allowed or 'nothing, or was undone by a teardown'}. The head was deleted, or an older one was put back,"
            " or this is another database than the registry was written with. Restore the registry or the"
            " configuration; nothing was read or written."
        )

    def write(
        self,
        proto: RegistryProto,
        definitions: str,
        *,
        over: Head | None,
        policy: str,
        record: Callable[[str], None],
        held: Callable[[], object],
    ) -> Head:
        """Commit ``proto`` over the head ``over``, for who is alone.

        :param policy: hex SHA-256 of the policy that allowed its definitions
        :param record: records the decision on the version of that name
        :param held: what :meth:`alone` gave
        """
        proto.version_id = str(uuid.uuid4())
        proto.last_updated.FromDatetime(_utc_now())
        data = proto.SerializeToString(deterministic=True)
        head = Head(version_name(data), definitions, policy)
        self.refs.swap(head.object, None, data)
        coming = self._ref(NEXT)
        coming.swap(coming.read(), head)
        held()
        record(head.object)
        self._complete(over, head)
        return head

    def keep(self, policy: Policy) -> None:
        """Keep the file of a policy that counts, whatever becomes of the commit."""
        self.refs.swap(policy_name(policy.sha256), None, policy.content)

    def forget(self, head: Head | None) -> None:
        """Let the head name nothing, for who is alone; every version stays as history."""
        if not self._ref(HEAD).swap(head, None):
            raise outdated(self.refs)

    def _complete(self, old: Head | None, new: Head) -> None:
        if not self._ref(HEAD).swap(old, new):
            raise FeastRefused(
                f"The decision is recorded, but somebody changed the head of the registry {self.refs.location} past its"
                " lock before it was put in place. The next command puts it in place, or says what is in its way."
            )
        self._ref(NEXT).swap(new, None)

    def _agrees(self, head: Head | None, allowed: str | None) -> bool:
        if head is None or allowed is not None:
            return (None if head is None else head.definitions) == allowed
        return holds_nothing(self.gate.definitions(self.load(head)))

    def _ref(self, name: str) -> SignedHead:
        return SignedHead(self.refs, name, self.gate.parts.keys)


def outdated(refs: Refs, why: str = "") -> FeastRefused:
    """What is said to whoever began with a head that does not count any more."""
    return FeastRefused(
        f"The registry {refs.location} was changed by somebody else meanwhile{why}. Nothing was written; run the"
        " command again."
    )


def _names(head: Head | None) -> str:
    return "is not there" if head is None else f"names the definitions {head.definitions}"
