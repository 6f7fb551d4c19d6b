"""The values of a report. They are what the JSON says, what the HTML shows and what the viewer draws.

A report holds names, digests, counts, times and pseudonyms. It never holds an entity key, a feature value
or the plain name of a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Any

SCHEMA = "https://provender.example/schemas/report/v1"
"""Identifier of ``report.schema.json``; never fetched."""


class Level(StrEnum):
    """How well a link is known; the order of the members is the order of strength."""

    CLAIMED = "claimed"
    """The process that did it said so."""
    OBSERVED = "observed"
    """An independent party saw it: the control plane, a storage API, the server that loaded it."""
    VERIFIED = "verified"
    """Digests were recomputed and were equal."""

    @property
    def rank(self) -> int:
        """0 for the weakest."""
        return list(Level).index(self)


class State(StrEnum):
    """Whether there is anything to show for a node."""

    KNOWN = "known"
    GAP = "gap"
    """No record says what stands here."""
    ERASED = "erased"
    """The record's content was erased; its leaf is still in the ledger."""


@dataclass(frozen=True)
class Fact:
    """One line of detail about a node."""

    label: str
    value: str
    code: bool = False
    """Whether the value is a digest, an id or a path, and set in a fixed-width type."""


@dataclass(frozen=True)
class Node:
    """One thing in the chain: an endpoint, a model, a run, a snapshot, definitions, a source."""

    id: str
    kind: str
    title: str
    """What kind of thing it is, for people."""
    name: str
    digest: str | None = None
    state: State = State.KNOWN
    summary: str = ""
    """One sentence."""
    who: str | None = None
    """Pseudonym of whoever recorded it."""
    when: str | None = None
    records: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Link:
    """One step of the chain: ``source`` was made from, or runs, ``target``."""

    source: str
    target: str
    relation: str
    level: Level | None
    """None where the link is a gap."""
    basis: str
    """Why the level is what it is, in a sentence: by whom, and when."""
    digest: str | None = None
    """The digest that joins the two ends."""
    records: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gap:
    """Something that no record proves, named."""

    at: str
    """The node at which it is missing, or an empty string where it concerns the whole."""
    text: str


@dataclass(frozen=True)
class Decision:
    """One verdict on the way: a gate, an outcome, and what was found."""

    gate: str
    outcome: str
    when: str
    who: str
    record: str
    policy: str | None
    findings: tuple[str, ...]
    commit: str | None = None
    """Git commit of the definitions' repository, where there was one."""


@dataclass(frozen=True)
class Check:
    """One expectation of a validation suite. What was observed is left out: it can be a feature value."""

    expectation: str
    column: str | None
    success: bool
    severity: str


@dataclass(frozen=True)
class Labels:
    """What may be done with the data, as it was when the snapshot was made."""

    residency: tuple[str, ...] = ()
    pii: bool | None = None
    purpose: tuple[str, ...] = ()


@dataclass(frozen=True)
class EndpointSummary:
    """One line of the list of endpoints."""

    name: str
    state: str
    weights: str | None
    """``oms1-sha256:…`` as the server reported it, or None for one that loaded nothing."""
    when: str


@dataclass(frozen=True)
class Report:
    """The whole answer to "prove what this endpoint was made from"."""

    endpoint: str
    as_of: str
    """RFC 3339 time of the checkpoint, or of the question where there is no checkpoint yet."""
    tree_size: int
    """Number of leaves of the ledger that this report looked at."""
    origin: str
    """The ledger's name."""
    checkpoint: str | None
    """The signed note's text, exactly."""
    headline: str
    summary: tuple[str, ...]
    """The plain-language page, one paragraph each."""
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    gaps: tuple[Gap, ...]
    labels: Labels
    decisions: tuple[Decision, ...]
    validation: tuple[Check, ...]
    exemptions: tuple[str, ...]
    does_not_prove: tuple[str, ...]

    @property
    def weakest(self) -> Level | None:
        """The lowest level of any link; None where a link is a gap or there is no link at all."""
        levels = [link.level for link in self.links]
        if not levels or None in levels:
            return None
        return min((level for level in levels if level is not None), key=lambda level: level.rank)

    def node(self, id: str) -> Node:  # noqa: A002 - the field's own name
        """The node of that id. Raises KeyError."""
        for node in self.nodes:
            if node.id == id:
                return node
        raise KeyError(id)

    def link_to(self, id: str) -> Link | None:  # noqa: A002 - the field's own name
        """The first link that leads to the node of that id, or None for the endpoint itself."""
        return next((link for link in self.links if link.target == id), None)

    def to_json(self) -> dict[str, Any]:
        """The report as ``report.schema.json`` describes it."""
        return {"$schema": SCHEMA, "v": 1, **_plain(self), "weakest": self.weakest}

    def chain_json(self) -> dict[str, Any]:
        """Nodes and edges alone, as the API serves them to whoever draws them."""
        whole = self.to_json()
        return {
            "v": 1,
            **{key: whole[key] for key in ("endpoint", "as_of", "tree_size", "origin", "weakest", "nodes", "gaps")},
            "edges": whole["links"],
        }


def _plain(value: Any) -> Any:
    """``value`` in the words of JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
