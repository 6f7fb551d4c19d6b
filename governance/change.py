"""The verdict on one change of a registry that is written object by object, where only the last step is whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from governance.assets import Definitions
from governance.rules.inputs import InputsDefined
from governance.verdict import Finding, Verdict

Judged = tuple[Definitions, Verdict]
"""A state of the registry, and the verdict on all of it."""


def of_change(before: Judged | None, after: Judged) -> Verdict:
    """What of the verdict on ``after`` speaks of the change that led there from ``before``.

    What was found before it, too, is another change's: objects that break a new rule are mended one after the other.
    Nothing is said yet of what is made from something that is not there: it may be written before what it is
    made from, or removed after it. No other gate lets anybody use it so long, and once all is there it is judged.
    """
    found = set() if before is None else {_key(one) for one in _settled(*before)}
    return replace(after[1], findings=tuple(one for one in _settled(*after) if _key(one) not in found))


def _settled(definitions: Definitions, verdict: Verdict) -> Iterator[Finding]:
    """The findings about objects of which nothing is missing that they, or what they are made from, are made from."""
    unfinished = {one.object for one in verdict.findings if one.rule == InputsDefined.id}
    if unfinished:
        for key in definitions.graph.order:
            if not unfinished.isdisjoint(definitions.graph.inputs[key]):
                unfinished.add(key)
    return (one for one in verdict.findings if one.object not in unfinished)


def _key(finding: Finding) -> tuple[str, str, str]:
    return finding.object, finding.rule, finding.message
