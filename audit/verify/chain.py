"""The chain of an endpoint: from what it loaded down to source files, followed by digests alone.

    deployment(ready).loaded ─► artifact, training ─► snapshots ─► retrieval ─► decision, source files, spine
    deployment.online        ─► materialization ─► source files

A pure function of statements: the verifier gives it those of a bundle, the report those of the database.
What no statement states is a link with a ``gap``, in words, never an inference. Where several statements
state one digest (a run repeated with the same result), the last one before the act that used it counts; what was
recorded only afterwards does not. Before and after are places in the ledger (``Statement.index``), never times, which
whoever recorded an act chose.

While an endpoint serves, its online values may be written anew: every completed materialization of one of its views
between its ``ready`` and its ``ended`` is a link of its own, and so is what ``ended`` names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from audit.verify.statement import Statement, snapshot_id
from audit.verify.values import digest_hex, find, objects, text

CLAIMED, OBSERVED, VERIFIED = "claimed", "observed", "verified"
NO_ORIGIN = "origin of entity rows and labels unknown"


@dataclass(frozen=True)
class Node:
    """One thing in the chain."""

    kind: str
    """endpoint, weights, signature, training, snapshot, retrieval, decision, source, spine, materialization"""
    name: str


@dataclass(frozen=True)
class Link:
    """``source`` was made from (or is answered for by) ``target``."""

    source: Node
    target: Node
    relation: str
    digest: str
    """what was followed, with its algorithm; empty where there is a gap"""
    level: str
    """claimed, observed or verified; empty where there is a gap"""
    says: str = ""
    """who says so, in words"""
    time: str = ""
    record: str = ""
    """id of the statement that states the link (or lacks what would close the gap)"""
    target_record: str = ""
    """the same id, where the target is the act that this statement records"""
    gap: str = ""


@dataclass(frozen=True)
class Chain:
    """The links of one endpoint, from the endpoint down."""

    endpoint: str
    deployment: Statement | None
    links: tuple[Link, ...]

    @property
    def gaps(self) -> tuple[Link, ...]:
        """The links that nothing proves."""
        return tuple(link for link in self.links if link.gap)

    @property
    def records(self) -> frozenset[str]:
        """Ids of all statements that the chain rests on."""
        return frozenset(link.record for link in self.links)


def follow(statements: Iterable[Statement], endpoint: str) -> Chain:
    """The chain of ``endpoint``. Without a deployment it has no links and ``deployment`` is None."""
    walk = _Walk(tuple(sorted(statements, key=lambda statement: statement.index)))
    deployment = walk.deployment(endpoint)
    links = walk.from_endpoint(deployment, Node("endpoint", endpoint)) if deployment else ()
    return Chain(endpoint, deployment, tuple(dict.fromkeys(links)))


@dataclass(frozen=True)
class _Walk:
    statements: tuple[Statement, ...]
    """in the ledger's order"""

    def deployment(self, endpoint: str) -> Statement | None:
        name = f"endpoint:{endpoint}"
        ready = [
            statement
            for statement in self.statements
            if statement.kind == "deployment"
            and any(subject[0] == name for subject in statement.subjects)
            and text(statement.predicate, "state") == "ready"
        ]
        return ready[-1] if ready else None

    def from_endpoint(self, deployment: Statement, endpoint: Node) -> Iterator[Link]:
        written = text(deployment.predicate, "loaded", "digest")
        weights = Node("weights", written)
        if not digest_hex(written, "oms1-sha256") or not deployment.has_subject(written):
            yield _gap(deployment, endpoint, weights, "which weights the endpoint loaded is not stated by one digest")
        else:
            by, at = (text(deployment.predicate, "loaded", key) for key in ("by", "at"))
            says = f"{by or 'the model server'} recomputed the digest of the files while loading"
            yield Link(endpoint, weights, "loaded", written, VERIFIED, says, at or deployment.time, deployment.id)
            yield from self._from_weights(deployment, weights)
        yield from self._online(deployment, endpoint)

    def _from_weights(self, used_by: Statement, weights: Node) -> Iterator[Link]:
        artifact = self._last("artifact", used_by, weights.name)
        if artifact is None:
            yield _gap(used_by, weights, Node("signature", ""), "no record says that these weights were signed")
        else:
            node = Node("signature", f"key {text(artifact.predicate, 'signature', 'key')}")
            says = "the recorder hashed the files and signed them"
            yield _to(artifact, weights, node, "signed by", digest=weights.name, level=VERIFIED, says=says)
        run = text(artifact.predicate, "run") if artifact else ""
        training = self._last("training", used_by, weights.name, run=run)
        if training is None:
            yield _gap(used_by, weights, Node("training", ""), "no training record states the digest of these weights")
            return
        node, says = Node("training", _run(training)), "the training process"
        yield _to(training, weights, node, "written by", digest=weights.name, level=CLAIMED, says=says)
        yield from self._from_training(training, node)

    def _from_training(self, training: Statement, node: Node) -> Iterator[Link]:
        definition = find(training.predicate, "buildDefinition")
        named = [snapshot_id(find(item, "digest")) for item in objects(definition, "resolvedDependencies")]
        if not any(named):
            yield _gap(training, node, Node("snapshot", ""), "the training record names no snapshot")
        if not find(definition, "internalParameters", "hardware"):
            yield _gap(training, node, Node("hardware", ""), "the training record names no hardware")
        for name in dict.fromkeys(filter(None, named)):
            says = "the training process, whose reader checks the rows against the digest"
            yield Link(node, Node("snapshot", name), "trained on", name, VERIFIED, says, training.time, training.id)
            yield from self._from_snapshot(training, Node("snapshot", name))

    def _from_snapshot(self, used_by: Statement, snapshot: Node) -> Iterator[Link]:
        retrieval = self._last("retrieval", used_by, snapshot.name, state="COMPLETE")
        if retrieval is None:
            why = "no completed retrieval before states the digest of this snapshot"
            yield _gap(used_by, snapshot, Node("retrieval", ""), why)
            return
        node, says = Node("retrieval", _run(retrieval)), "the retrieval digested its own result"
        yield _to(retrieval, snapshot, node, "retrieved by", digest=snapshot.name, level=VERIFIED, says=says)
        yield from self._definitions(retrieval, node)
        yield from _sources(retrieval, node, objects(retrieval.predicate, "sources"))
        yield from _spine(retrieval, node)

    def _definitions(self, act: Statement, node: Node) -> Iterator[Link]:
        name = f"definitions-sha256:{text(act.predicate, 'definitions')}"
        decision = self._last("decision", act, name, gate="apply", outcome="allow")
        if decision is None:
            yield _gap(act, node, Node("decision", name), "no decision recorded before allowed the definitions in use")
            return
        says = "the gate digested the definitions that it allowed"
        yield _to(decision, node, Node("decision", name), "allowed by", digest=name, level=VERIFIED, says=says)

    def _online(self, deployment: Statement, endpoint: Node) -> Iterator[Link]:
        online = objects(deployment.predicate, "online")
        if not online:
            why = "what the online values were made from is unknown"
            yield _gap(deployment, endpoint, Node("materialization", ""), why)
        for item in online:
            yield from self._named(deployment, endpoint, item)
        ended, known = self._ended(deployment), {(text(item, "view"), text(item, "materialization")) for item in online}
        for view, act in self._while_serving(deployment, ended):
            known.add((view, _run(act)))
            yield from self._materialized(act, endpoint, view, since=act.time)
        for item in objects(ended.predicate, "online") if ended else ():
            if (text(item, "view"), text(item, "materialization")) not in known:
                yield from self._named(ended or deployment, endpoint, item)

    def _ended(self, deployment: Statement) -> Statement | None:
        name = text(deployment.predicate, "deployment")
        ends = [act for act in self.statements if act.kind == "deployment" and text(act.predicate, "state") == "ended"]
        return next((act for act in ends if name and text(act.predicate, "deployment") == name), None)

    def _while_serving(self, ready: Statement, ended: Statement | None) -> Iterator[tuple[str, Statement]]:
        """(view, materialization) of everything written online for the deployment's views while it served."""
        views = sorted({text(item, "view") for item in objects(ready.predicate, "online")})
        project = text(ready.predicate, "project")
        for act in self.statements:
            after, before = act.index > ready.index, ended is None or act.index < ended.index
            same = not project or text(act.predicate, "project") == project
            if act.kind == "materialization" and after and before and same:
                named = {name for name, _algorithm, _digits in act.subjects}
                complete = text(act.predicate, "state") == "COMPLETE"
                yield from ((view, act) for view in views if complete and f"feature_view:{view}" in named)

    def _named(self, deployment: Statement, endpoint: Node, item: dict[str, Any]) -> Iterator[Link]:
        """The materialization that a deployment's record names."""
        view, run, written = (text(item, key) for key in ("view", "materialization", "digest"))
        found = self._last("materialization", deployment, written, run=run)
        if found is not None and _run(found) == run:
            yield from self._materialized(found, endpoint, view)
            return
        why = f"no record of materialization {run or '(unnamed)'} states the online values of {view or 'a view'}"
        yield _gap(deployment, endpoint, Node("materialization", f"{view} {run}"), why)

    def _materialized(self, found: Statement, endpoint: Node, view: str, *, since: str = "") -> Iterator[Link]:
        node = Node("materialization", f"{view} {_run(found)}")
        named = (f"{kind}:{digits}" for name, kind, digits in found.subjects if name == f"feature_view:{view}")
        says = "the materialization digested what it wrote; " + (
            f"it wrote over what the endpoint answered from until {since}" if since else "the server names that run"
        )
        relation = f"answers from {view}" + (f" since {since[:10]} {since[11:16]} UTC" if since else "")
        yield _to(found, endpoint, node, relation, digest=next(named, ""), level=CLAIMED, says=says)
        yield from self._definitions(found, node)
        for entry in objects(found.predicate, "views"):
            if text(entry, "name") == view:
                yield from _sources(found, node, objects(entry, "sources"))

    def _last(self, kind: str, used_by: Statement, digest: str, *, run: str = "", **wanted: str) -> Statement | None:
        """The last statement of ``kind`` with this subject that the ledger has before the act that used it.

        ``run`` is a preference (two runs may give one digest), whatever else is wanted is a condition.
        """
        found = [
            statement
            for statement in self.statements
            if statement.kind == kind
            and statement.index <= used_by.index
            and statement.has_subject(digest)
            and all(text(statement.predicate, key) == value for key, value in wanted.items())
        ]
        preferred = [statement for statement in found if run and _run(statement) == run] or found
        return preferred[-1] if preferred else None


def _sources(act: Statement, node: Node, sources: list[dict[str, Any]]) -> Iterator[Link]:
    if not sources:
        yield _gap(act, node, Node("source", ""), "the record names no source")
    for source in sources:
        where = text(source, "uri") or text(source, "name")
        found = [*_hashed(source), *_observed(source, where)]
        if not found:
            yield _gap(act, node, Node("source", where), f"the state of source {where!r} is not stated by a digest")
        for name, digest, level, says in found:
            yield Link(
                node, Node("source", name), "read", digest, level, says, text(source, "time") or act.time, act.id
            )


def _hashed(source: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    level, later = (
        (VERIFIED, "") if text(source, "state") == "computed" else (OBSERVED, " earlier; size and time unchanged")
    )
    for file in objects(source, "files"):
        if sha256 := text(file, "sha256"):
            says = f"the run hashed the file of {text(source, 'name')}{later}"
            yield text(file, "path"), f"sha256:{sha256}", level, says


def _observed(source: dict[str, Any], where: str) -> Iterator[tuple[str, str, str, str]]:
    """What the storage says of content that the run did not hash: a table's version, an object's entity tag."""
    kind, table = text(source, "table", "format"), text(source, "table", "id")
    version = find(source, "table", "version" if kind == "delta" else "snapshot_id")
    if kind and table and version is not None:
        yield where, f"{kind}:{table}@{version}", OBSERVED, "the table's own log named the version that was read"
    for file in objects(source, "files"):
        if (etag := text(file, "etag")) and not text(file, "sha256"):
            kept = text(file, "version_id")
            says = f"the object store named this content{f', kept as version {kept}' if kept else ''}"
            yield text(file, "path"), f"etag:{etag}", OBSERVED, says


def _spine(retrieval: Statement, node: Node) -> Iterator[Link]:
    origin = find(retrieval.predicate, "spine", "origin")
    made_from = objects(origin, "made_from")
    if not made_from:
        yield _gap(retrieval, node, Node("spine", ""), NO_ORIGIN)
    for source in made_from:
        target, digest = Node("spine", text(source, "uri")), f"sha256:{text(source, 'sha256')}"
        says = f"the caller, whose code is {text(origin, 'code', 'name') or 'not named'}"
        relation = "entity rows made from"
        yield Link(node, target, relation, digest, CLAIMED, says, retrieval.time, retrieval.id)


def _run(act: Statement) -> str:
    return text(act.predicate, "run") or text(act.predicate, "runDetails", "metadata", "invocationId")


def _to(act: Statement, source: Node, target: Node, relation: str, *, digest: str, level: str, says: str) -> Link:
    return Link(source, target, relation, digest, level, says, act.time, act.id, act.id)


def _gap(act: Statement, source: Node, target: Node, why: str) -> Link:
    return Link(source, target, "", "", "", "", act.time, act.id, "", why)
