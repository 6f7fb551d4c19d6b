"""From the links of a chain to the nodes and links of a report, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from audit.report.data_nodes import definitions_node, retrieval_node, snapshot_node, source_node, spine_node
from audit.report.facts import mapping, moment, sequence
from audit.report.model_nodes import endpoint_node, hardware_node, online_node, run_node, signature_node, weights_node
from audit.report.report import Gap, Level, Link, Node, State
from audit.verify import chain as followed
from audit.verify.chain import Chain
from audit.verify.statement import Statement

_KINDS = {"training": "run", "decision": "definitions", "materialization": "online"}
"""The chain's kinds that a report calls by another name."""

_TITLES = {
    "endpoint": "Endpoint",
    "weights": "Model weights",
    "signature": "Signature",
    "run": "Training run",
    "hardware": "Hardware",
    "snapshot": "Snapshot",
    "retrieval": "Point-in-time retrieval",
    "definitions": "Feature definitions",
    "spine": "Entity rows and labels",
    "source": "Source",
    "online": "Online values",
}
_ORDER = tuple(_TITLES)


@dataclass(frozen=True)
class Assembly:
    """Nodes, links and gaps of one chain; each is computed once."""

    acts: Mapping[str, Statement]
    chain: Chain
    deployment: Statement
    _made: dict[str, Node] = field(default_factory=dict)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node that a link touches, model before data, each with its details."""
        return tuple(replace(self._made[found], id=id_) for found, id_ in self._ids.items())

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Every link in reading order, the files of one source folded into one."""
        places = {found: place for place, found in enumerate(self._ids)}
        ordered = sorted(self._found, key=lambda link: (places[link.source], places[link.target]))
        return tuple(replace(link, source=self._ids[link.source], target=self._ids[link.target]) for link in ordered)

    @cached_property
    def gaps(self) -> tuple[Gap, ...]:
        """What no statement says, each at the node where the chain breaks off."""
        return tuple(dict.fromkeys(Gap(link.source, link.basis) for link in self.links if link.level is None))

    @cached_property
    def _ids(self) -> dict[str, str]:
        """``run-1`` and so on for each node found, in reading order: ids that fit into a URL's fragment."""
        touched = dict.fromkeys(end for link in self._found for end in (link.source, link.target))
        ordered = sorted(touched, key=lambda found: _ORDER.index(self._made[found].kind))
        numbers: dict[str, int] = {}
        ids = {}
        for found in ordered:
            kind = self._made[found].kind
            numbers[kind] = numbers.get(kind, 0) + 1
            ids[found] = f"{kind}-{numbers[kind]}"
        return ids

    @cached_property
    def _found(self) -> tuple[Link, ...]:
        folded: dict[tuple[str, str], Link] = {}
        for link in self.chain.links:
            made = self._link(link)
            before = folded.get((made.source, made.target))
            folded[made.source, made.target] = _weaker(before, made) if before else made
        for run in [node for node in self._made.values() if node.kind == "run" and node.state is State.KNOWN]:
            if hardware := hardware_node(self.acts[run.records[0]]):
                self._made[f"hardware:{run.id}"] = hardware
                folded[run.id, f"hardware:{run.id}"] = _ran_on(run)
        return tuple(folded.values())

    def _link(self, link: followed.Link) -> Link:
        source, target = self._node(link.source, link), self._node(link.target, link)
        records = tuple(dict.fromkeys(record for record in (link.record, link.target_record) if record))
        if link.gap:
            return Link(source.id, target.id, "is not known", None, link.gap, None, records)
        basis = f"{link.says}; operator's claim of {moment(link.time)}, signed"
        return Link(source.id, target.id, link.relation, Level(link.level), basis, link.digest, records)

    def _node(self, node: followed.Node, link: followed.Link) -> Node:
        kind = _KINDS.get(node.kind, node.kind)
        made = _gap_node(kind, link) if link.gap and node == link.target else self._known(kind, node, link)
        return self._made.setdefault(made.id, made)

    def _known(self, kind: str, node: followed.Node, link: followed.Link) -> Node:
        id_ = f"{kind}:{node.name}"
        if id_ in self._made:
            return self._made[id_]
        match kind:
            case "endpoint":
                return replace(endpoint_node(self.deployment), id=id_)
            case "weights":
                return replace(weights_node(node.name, self._reached(node, "signature")), id=id_)
            case "signature":
                return replace(signature_node(self.acts[link.target_record]), id=id_)
            case "run":
                return replace(run_node(self.acts[link.record]), id=id_)
            case "online":
                return online_node(self.acts[link.record], node.name.rpartition(" ")[0], id=id_)
            case _:
                return self._data(kind, node, link)

    def _data(self, kind: str, node: followed.Node, link: followed.Link) -> Node:
        id_ = f"{kind}:{node.name}"
        match kind:
            case "snapshot":
                return snapshot_node(node.name, self._reached(node, "retrieval"), id=id_)
            case "retrieval":
                return retrieval_node(self.acts[link.target_record or link.record], id=id_)
            case "definitions":
                return definitions_node(self.acts[link.target_record], id=id_)
            case "spine":
                return spine_node(self.acts[link.record], id=f"spine:{link.source.name}")
            case _:
                return self._source(node, link)

    def _reached(self, node: followed.Node, kind: str) -> Statement | None:
        """The record that describes ``node``: the one behind its link to something of that kind."""
        records = [link.target_record for link in self.chain.links if link.source == node and link.target.kind == kind]
        return self.acts.get(records[0]) if records else None

    def _source(self, node: followed.Node, link: followed.Link) -> Node:
        act = self.acts[link.record]
        for source in _sources(act):
            if any(mapping(file).get("path") == node.name for file in sequence(source.get("files"))):
                state = next(
                    iter(sorted(str(mapping(file).get("sha256")) for file in sequence(source.get("files")))), ""
                )
                return source_node(source, act, id=f"source:{source.get('name')}:{state[:12]}")
        return Node(
            f"source:{node.name}", "source", _TITLES["source"], node.name, digest=link.digest, records=(act.id,)
        )


def _sources(act: Statement) -> list[Mapping[str, Any]]:
    views = [mapping(view) for view in sequence(act.predicate.get("views"))]
    lists = [sequence(holder.get("sources")) for holder in (act.predicate, *views)]
    return [mapping(source) for sources in lists for source in sources]


def _gap_node(kind: str, link: followed.Link) -> Node:
    named = link.target.name.partition(" ")[0] if kind == "online" else link.target.name
    return Node(
        id=f"{kind}:{link.target.name or 'unknown'}@{link.source.kind}:{link.source.name}",
        kind=kind if kind in _TITLES else "source",
        title=_TITLES.get(kind, kind),
        name="not recorded" if not named or "sha256:" in named else named,
        digest=named if "sha256:" in named else None,
        state=State.GAP,
        summary=f"{link.gap[:1].upper()}{link.gap[1:]}.",
        records=(link.record,) if link.record else (),
    )


def _ran_on(run: Node) -> Link:
    says = "the training process read it from the driver and the operating system"
    basis = f"{says}; operator's claim of {moment(run.when)}, signed"
    return Link(run.id, f"hardware:{run.id}", "ran on", Level.CLAIMED, basis, None, run.records)


def _weaker(one: Link, other: Link) -> Link:
    """Two links between the same nodes (the files of one source) as one, with the lower level and no single digest."""
    if one.level is None or other.level is None:
        return one if one.level is None else other
    weaker = min((one, other), key=lambda link: link.level.rank if link.level else -1)
    same = one.digest == other.digest
    return replace(
        weaker, digest=one.digest if same else None, records=tuple(dict.fromkeys((*one.records, *other.records)))
    )
