"""The report's sentences: the plain-language page, and what no report of this kind can prove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from audit.report.facts import count, mapping, moment
from audit.report.report import Check, Gap, Labels, Level, Link, Node

LEVELS = {
    Level.VERIFIED: "a digest was recomputed from the content and was equal; the report says by whom and when",
    Level.OBSERVED: "an independent party saw it: the control plane, a storage service, the server itself",
    Level.CLAIMED: "the process that did the work said so, in a signed statement",
}
"""What each level means, strongest first."""

DOES_NOT_PROVE = (
    (
        "Completeness. The ledger proves that nothing in it was changed or removed; it cannot prove that"
        " everything that happened was recorded. Whoever has a store's own password can read or write it without"
        " passing this system."
    ),
    (
        "Truth of the sources. A digest proves which bytes were read, not that the measurements in them are right,"
        " fairly collected or lawfully obtained."
    ),
    (
        "The host itself. A machine whose administrator or hardware lies can report hardware, software and digests that"
        " it does not have. Attested hardware is outside what was recorded here."
    ),
    "Good behaviour of the model. What it was made from is not how well, how fairly or how safely it answers.",
)
"""Printed at the end of every report, whatever the chain looks like."""


def headline(endpoint: str, links: Sequence[Link], gaps: Sequence[Gap]) -> str:
    """The answer in one line."""
    if gaps:
        return f"What {endpoint} was made from is recorded, with {count(len(gaps), 'gap')}."
    weak = [link for link in links if link.level is Level.CLAIMED]
    ending = (
        f"{count(len(weak), 'link')} rest{'s' if len(weak) == 1 else ''} on a claim"
        if weak
        else "no link rests on a claim"
    )
    return f"What {endpoint} was made from is recorded from end to end; {ending}."


def summary(
    nodes: Sequence[Node], labels: Labels, checks: Sequence[Check], requests: Sequence[Mapping[str, Any]]
) -> tuple[str, ...]:
    """The plain-language paragraphs: what answers, what made it, from which data, under which rules.

    :param requests: what each retrieval asked for, as its record states it
    """
    return tuple(
        paragraph
        for paragraph in (
            _what_answers(nodes),
            _what_made_it(nodes),
            _from_which_data(nodes, requests),
            _under_which_rules(nodes, labels, checks),
        )
        if paragraph
    )


def _first(nodes: Sequence[Node], kind: str) -> Node | None:
    return next((node for node in nodes if node.kind == kind and node.state == "known"), None)


def _what_answers(nodes: Sequence[Node]) -> str:
    endpoint, weights = _first(nodes, "endpoint"), _first(nodes, "weights")
    if endpoint is None or weights is None:
        return ""
    signed = " They are signed." if _first(nodes, "signature") else ""
    return f"The endpoint {endpoint.name} answers with the model {weights.name}. {endpoint.summary}{signed}"


def _what_made_it(nodes: Sequence[Node]) -> str:
    run, hardware = _first(nodes, "run"), _first(nodes, "hardware")
    if run is None:
        return "No record says which training run made this model."
    on = f" on {hardware.name}" if hardware else ", on hardware that was not recorded"
    return f"The model was made by the training run {run.name}{on}. {run.summary}"


def _from_which_data(nodes: Sequence[Node], requests: Sequence[Mapping[str, Any]]) -> str:
    snapshots = [node for node in nodes if node.kind == "snapshot" and node.state == "known"]
    if not snapshots:
        return "No record says which data it was trained on."
    sources = [node.name for node in nodes if node.kind == "source" and node.state == "known"]
    tables = " and ".join(f"one table ({node.name})" for node in snapshots)
    names = ", ".join(sorted(set(sources)))
    drawn = (
        f" drawn from {count(len(set(sources)), 'source')}: {names}" if sources else " whose sources are not recorded"
    )
    return f"It was trained on {tables},{drawn}. {_as_of_when(requests)}"


def _as_of_when(requests: Sequence[Mapping[str, Any]]) -> str:
    """Which moment a value stands for: what was asked for, and no more than that."""
    kinds = {_kind_of_rows(request) for request in requests}
    if "measured" in kinds:
        kinds.discard("measured and reported")  # of the whole, only the weaker holds
    said = [_AS_OF[kind] for kind in _AS_OF if kind in kinds]
    if not said:
        return "No record says as of which moment its values are."
    return said[0] if len(said) == 1 else f"It was retrieved in several ways. {' '.join(said)}"


def _kind_of_rows(request: Mapping[str, Any]) -> str:
    """How the rows of one retrieval were asked for; a query for entity rows leaves its SHA-256 only."""
    if "object" in request:
        return "read back"
    if not (request.get("spine") or request.get("query_sha256")):
        return "range"
    reported = mapping(request.get("options")).get("filter_by_created_timestamp") == "True"
    return "measured and reported" if reported else "measured"


_AS_OF = {
    "measured and reported": (
        "The retrieval was point-in-time: for each row it took the latest values that were measured and reported by"
        " that row's time, and no later ones."
    ),
    "measured": (
        "The retrieval was point-in-time: for each row it took the latest values measured by that row's time; when a"
        " value was reported was not asked."
    ),
    "range": "It was drawn for a range of dates, not row by row as of a moment.",
    "read back": "It was read back from rows that an earlier act wrote; as of which moment they are stands there.",
}
"""What each kind of request means for its values, in the order in which a report says it."""


def _under_which_rules(nodes: Sequence[Node], labels: Labels, checks: Sequence[Check]) -> str:
    definitions = _first(nodes, "definitions")
    parts = []
    if definitions:
        parts.append(f"The feature definitions passed the policy on {moment(definitions.when)}.")
    if labels.residency:
        parts.append(f"The data may be kept in {', '.join(labels.residency)}.")
    if labels.pii is not None:
        parts.append("It is marked as personal data." if labels.pii else "It is marked as not being personal data.")
    if labels.purpose:
        parts.append(f"It may be used for {', '.join(labels.purpose)}.")
    if checks:
        met = sum(check.success for check in checks)
        parts.append(f"It met {met} of {count(len(checks), 'quality expectation')}.")
    return " ".join(parts)
