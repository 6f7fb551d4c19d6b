"""``GovernedRegistryStore``: a registry in a directory, on S3 or in SQL, whose every change was decided first.

A commit that changes no definition (Feast's times, materialization intervals, the empty registry it
commits when it opens a store) asks for no verdict and is no new definition version.

The head must name what the last recorded decision of the project let in: a head that was deleted, or an older one put
back, is refused. One project therefore has one registry in one governance database.

Whoever began with a registry that somebody else changed meanwhile has the change added to that one, and judged there,
unless both changed the same object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakSet

from feast.infra.registry.base_registry import BaseRegistry
from feast.infra.registry.registry_store import RegistryStore
from feast.infra.registry.sql import SqlRegistry
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import RegistryConfig

from api.feast.bookkeeping import differ
from api.feast.denial import FeastRefused, told_to_feast
from api.feast.gate import ApplyGate
from api.feast.governed import parts_of_registry, settings_of_registry
from api.feast.governed_provider_only import refuse_ungoverned_provider
from api.feast.opener import opener
from api.feast.policy_change import record_policy_change
from api.feast.registry_commits import RegistryCommits, outdated
from api.feast.registry_head import Head
from api.feast.registry_history import RegistryHistory, old_version, refuse_old_version
from api.feast.registry_merge import Conflict, merged
from api.feast.registry_refs import registry_refs
from api.feast.shadowing import refuse_shadowed_modules
from api.feast.sql.gate import SqlGate
from governance.assets import Definitions
from governance.plan import Action, changes

_OPEN: WeakSet[GovernedRegistryStore] = WeakSet()
"""Stores of this process, among which a provider finds those of its own configuration."""


class GovernedRegistryStore(RegistryStore):
    """The registry store of a governed repository."""

    def __init__(self, registry_config: RegistryConfig, repo_path: Path | None) -> None:
        self._config = registry_config
        with told_to_feast():
            refuse_ungoverned_provider(opener(self.belongs_to))
            refs = registry_refs(settings_of_registry(registry_config, repo_path), registry_config)
            self._commits = RegistryCommits(refs, ApplyGate(parts_of_registry(registry_config, repo_path)))
            self._old = old_version(registry_config)
        self._handed_out: RegistryProto | None = None
        self._seen: Head | None = None
        self._torn_down: _Teardown | None = None
        _OPEN.add(self)

    @property
    def gate(self) -> ApplyGate:
        """Where this registry's changes are decided."""
        return self._commits.gate

    def belongs_to(self, registry_config: RegistryConfig) -> bool:
        """Whether Feast opened this store for that very configuration object."""
        return self._config is registry_config

    def get_registry_proto(self) -> RegistryProto:
        """The registry as the head names it. Raises FileNotFoundError before the first commit."""
        head = self._head()
        if self._torn_down is not None and head == self._seen:
            self._handed_out = self._torn_down.left
            return self._handed_out
        self._torn_down = None
        if head is None:
            where = self._commits.refs.location
            raise FileNotFoundError(f'Registry not found at path "{where}". Have you run "feast apply"?')
        proto = self._commits.load(head)
        self._handed_out, self._seen = proto, head
        return proto

    def let_in(self, definitions: Definitions) -> Definitions:
        """``definitions`` where they are what was handed out, else what was: Feast changes its copy before it commits.

        A change that was made with ``commit=False`` has no verdict, so none may rest on its labels.
        """
        if self._seen is None or definitions.digest == self._seen.definitions:
            return definitions
        return self.gate.definitions(self._commits.load(self._seen))

    def update_registry_proto(self, registry_proto: RegistryProto) -> None:
        """Decide on and commit what Feast made of the registry; on a denial, undo it in Feast's own memory."""
        with self._undoing(registry_proto), self._commits.alone() as held:
            refuse_old_version(self._config)
            if self._torn_down is not None:
                self._remove(registry_proto, self._torn_down, held)
            else:
                self._catch_up(registry_proto, self._commits.settled())
                self._commit(registry_proto, held)

    def outdated(self) -> bool:
        """Whether another head counts by now than that of the registry handed out last."""
        return self._head() != self._seen

    def decide(self, gate: ApplyGate) -> None:
        """Decide on the registry that Feast has in hand, before it touches infrastructure. Raises FeastDenied.

        :param gate: the provider's, which knows the stores that are really configured; the commit asks it again.
        """
        self._commits = RegistryCommits(self._commits.refs, gate)
        if self._handed_out is not None:
            with self._undoing(self._handed_out):
                if self._torn_down is not None:
                    raise self._cut_off()
                self._catch_up(self._handed_out, self._head())
                record_policy_change(self._commits, self._seen)
                gate.decide(self._handed_out)

    def begin_teardown(self) -> None:
        """Hold back what Feast removes from here on, one object after the other, until nothing is left.

        A registry that is being taken apart is not judged at every step, where a source may be gone before what reads
        it. Until the last step nothing is written: a teardown that is cut off leaves the registry whole.
        """
        refuse_shadowed_modules(self.gate.parts.settings.repo)
        head = self._head()
        if head is not None:
            proto = self._commits.load(head)
            self._seen, self._torn_down = head, _Teardown(self.gate.definitions(proto), proto)

    def abandon_teardown(self) -> None:
        """The registry stays as it is."""
        self._torn_down = None

    def teardown(self) -> None:
        """Let the head name nothing; every version stays as history."""
        with told_to_feast(), self._commits.alone() as held:
            refuse_old_version(self._config)
            refuse_shadowed_modules(self.gate.parts.settings.repo)
            head = self._commits.settled()
            if head is not None and self.gate.allowed() is not None:
                held()
                self.gate.record_teardown(head.definitions)
            self._commits.forget(head)
            self._seen = None

    def _commit(self, proto: RegistryProto, held: Callable[[], object]) -> None:
        before = None if self._seen is None else self._seen.definitions
        policy = self.gate.policy()
        definitions, verdict = self.gate.propose(proto, head=before, policy=policy)
        if verdict is not None and not verdict.allowed:
            self.gate.record(verdict)  # raises
        if definitions != before or self._seen is None or differ(proto, self._commits.load(self._seen)):
            self._commits.keep(policy)
            self._write(
                proto,
                definitions,
                policy=policy.sha256 if verdict is not None or self._seen is None else self._seen.policy,
                record=lambda name: None if verdict is None else self.gate.record(verdict, version=name),
                held=held,
            )

    def _remove(self, proto: RegistryProto, teardown: _Teardown, held: Callable[[], object]) -> None:
        if self._commits.settled() != self._seen:
            raise outdated(self._commits.refs)
        now = self.gate.definitions(proto)
        if any(change.action is not Action.REMOVE for change in changes(teardown.before, now)):
            raise self._cut_off()
        if any(project.spec.name == now.project for project in proto.projects):  # Feast removes it last
            self._handed_out, self._torn_down = proto, _Teardown(teardown.before, proto)
            return
        policy = self.gate.policy()
        self._commits.keep(policy)
        self._write(
            proto,
            now.digest,
            policy=policy.sha256,
            record=lambda _: self.gate.record_teardown(teardown.before.digest),
            held=held,
        )
        self._torn_down = None

    def _write(
        self,
        proto: RegistryProto,
        definitions: str,
        *,
        policy: str,
        record: Callable[[str], None],
        held: Callable[[], object],
    ) -> None:
        over = self._seen
        self._seen = self._commits.write(proto, definitions, over=over, policy=policy, record=record, held=held)
        self._handed_out = proto

    def _catch_up(self, proto: RegistryProto, head: Head | None) -> None:
        """Let ``proto`` be what counts now, with what was changed in it since it was handed out.

        Nothing is added to a registry that was torn down: what the change was about is gone.
        """
        if head == self._seen:
            return
        if head is None:
            raise outdated(self._commits.refs)
        base = self._commits.load(self._seen) if self._seen else RegistryProto()
        try:
            proto.CopyFrom(merged(base=base, theirs=self._commits.load(head), mine=proto))
        except Conflict as conflict:
            raise outdated(self._commits.refs, f", and both of you changed {conflict}") from None
        self._seen = head

    def _head(self) -> Head | None:
        """The head. Raises FeastRefused where it is not the one that the last decision let in."""
        with told_to_feast():
            return self._commits.head() if self._old is None else self._as_it_was(self._old)

    def _as_it_was(self, definitions: str) -> Head:
        history = RegistryHistory(self.gate.parts, self._commits.refs)
        version = history.named(definitions)
        history.proto(version)  # raises where it is not what was let in
        return Head(str(version.object), version.definitions, version.policy)

    def _cut_off(self) -> FeastRefused:
        return FeastRefused(
            f"A teardown of the registry {self._commits.refs.location} was cut off in this process. Nothing was removed"
            " from the registry or written to it; run the teardown again, or repeat what you were doing."
        )

    @contextmanager
    def _undoing(self, proto: RegistryProto) -> Iterator[None]:
        """Restore Feast's object in place when the act fails, else the denied change rides with the next commit."""
        try:
            with told_to_feast():
                yield
        except BaseException:
            self._torn_down = None
            empty = RegistryProto(registry_schema_version=proto.registry_schema_version)
            proto.Clear()  # first of all: what was refused must not stay, even where the head cannot be read
            self._seen = self._head()
            proto.CopyFrom(self._commits.load(self._seen) if self._seen else empty)
            self._handed_out = proto
            raise


@dataclass(frozen=True)
class _Teardown:
    """A teardown under way."""

    before: Definitions
    left: RegistryProto
    """What Feast has not removed yet, as it has it in hand."""


def decided(registry: BaseRegistry, definitions: Definitions, gate: ApplyGate) -> Definitions:
    """What counts of ``definitions``, which were drawn from Feast's own copy of ``registry``. Raises FeastRefused."""
    if isinstance(registry, SqlRegistry):
        return SqlGate(gate).counting(registry, definitions)
    store = getattr(registry, "_registry_store", None)
    return store.let_in(definitions) if isinstance(store, GovernedRegistryStore) else definitions


def open_stores(registry_config: RegistryConfig) -> tuple[GovernedRegistryStore, ...]:
    """The stores that this process opened for that configuration object: one for each FeatureStore made of it."""
    return tuple(store for store in list(_OPEN) if store.belongs_to(registry_config))
