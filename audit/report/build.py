"""Building a report: a pure function of signed statements and of the chain that was followed through them.

The chain (``audit.verify.chain``) says which statement proves which link, and how well. This module gives its
nodes names and details, folds files into their source, and adds the words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from audit.report import words
from audit.report.assembly import Assembly
from audit.report.data_nodes import checks_of, decision_of, labels_of
from audit.report.facts import mapping, moment, sequence
from audit.report.report import Decision, EndpointSummary, Report
from audit.verify.chain import Chain
from audit.verify.statement import Statement
from lineage.errors import UnknownEndpoint


def build_report(
    chain: Chain,
    statements: Iterable[Statement],
    *,
    as_of: str,
    tree_size: int,
    origin: str,
    checkpoint: str | None = None,
) -> Report:
    """The report of the endpoint whose ``chain`` was followed through ``statements``.

    ``as_of`` is an RFC 3339 time; ``checkpoint`` the text of the ledger's last signed note.
    Raises UnknownEndpoint where the chain has no deployment to start from.
    """
    acts = {statement.id: statement for statement in statements}
    if chain.deployment is None:
        raise UnknownEndpoint(
            f"No record says that an endpoint named {chain.endpoint!r} was ever ready; expected one of"
            f" {_names(acts.values())}. `provender endpoints` lists them."
        )
    parts = Assembly(acts, chain, chain.deployment)
    used = [acts[record] for record in sorted(chain.records) if record in acts]
    retrievals = [act for act in used if act.kind == "retrieval"]
    nodes, links, gaps = parts.nodes, parts.links, parts.gaps
    labels, checks = labels_of(retrievals), tuple(check for act in retrievals for check in checks_of(act))
    return Report(
        endpoint=chain.endpoint,
        as_of=as_of,
        tree_size=tree_size,
        origin=origin,
        checkpoint=checkpoint,
        headline=words.headline(chain.endpoint, links, gaps),
        summary=(
            *words.summary(nodes, labels, checks, [mapping(act.predicate.get("request")) for act in retrievals]),
            *_ended(chain.deployment, acts),
        ),
        nodes=nodes,
        links=links,
        gaps=gaps,
        labels=labels,
        decisions=_decisions(used),
        validation=checks,
        exemptions=_exemptions(used),
        does_not_prove=words.DOES_NOT_PROVE,
    )


def endpoint_summaries(statements: Iterable[Statement]) -> tuple[EndpointSummary, ...]:
    """One line for each endpoint that was ever recorded, by name, with its latest state."""
    latest: dict[str, EndpointSummary] = {}
    for act in sorted(statements, key=lambda act: (act.time, act.id)):
        if act.kind == "deployment":
            name = str(act.predicate.get("endpoint", ""))
            weights, state = mapping(act.predicate.get("loaded")).get("digest"), str(act.predicate.get("state", ""))
            if state == "ended" and name in latest:
                weights = weights or latest[name].weights
            latest[name] = EndpointSummary(name, state, weights, act.time)
    return tuple(latest[name] for name in sorted(latest))


def _names(acts: Iterable[Statement]) -> str:
    return ", ".join(repr(line.name) for line in endpoint_summaries(acts)) or "none: nothing was deployed yet"


def _ended(deployment: Statement, acts: Mapping[str, Statement]) -> tuple[str, ...]:
    ends = [
        act.time
        for act in acts.values()
        if act.kind == "deployment"
        and act.predicate.get("state") == "ended"
        and act.predicate.get("deployment") == deployment.predicate.get("deployment")
    ]
    return (f"This deployment ended on {moment(max(ends))}; the report says what it was made from.",) if ends else ()


def _decisions(used: Iterable[Statement]) -> tuple[Decision, ...]:
    made = [decision_of(act) for act in used if act.kind == "decision"]
    return tuple(sorted(made, key=lambda decision: (decision.when, decision.record)))


def _exemptions(used: Iterable[Statement]) -> tuple[str, ...]:
    """Findings that an exemption let pass. Who asked and who approved stands in the policy file, not here."""
    found = [
        one
        for act in used
        for verdict in (act.predicate, mapping(act.predicate.get("verdict")))
        for one in map(mapping, sequence(verdict.get("exempted")))
    ]
    return tuple(dict.fromkeys(_exemption(mapping(one.get("finding")), one) for one in found))


def _exemption(finding: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    what = f"{finding.get('rule')} at {finding.get('object')}, until {one.get('expires')}"
    return f"{what}: {finding.get('message')} Reason: {one.get('reason')}"
