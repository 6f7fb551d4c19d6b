"""A plan as a person reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from governance.plan import Action, Change, Plan, Since
from governance.verdict import Level, exempted_text

_SIGN = {Action.ADD: "+", Action.CHANGE: "~", Action.REMOVE: "-"}
_TITLE = {
    Since.NEW: "New with this change",
    Since.SURFACED: "New, though no definition of it changed (the policy, a place or the calendar did)",
    Since.STANDING: "Standing",
}


def as_text(plan: Plan) -> str:
    """The whole plan: changes, findings by age, exemptions, and the answer in the last line."""
    return "\n".join(
        [*_changes(plan), *_findings(plan), *_exempted(plan), *_resolved(plan), *_notes(plan), _answer(plan)]
    )


def _changes(plan: Plan) -> Iterator[str]:
    if not plan.changes:
        yield f"feast apply would change no definition of {plan.project}."
        return
    yield f"feast apply would change {plan.project}:"
    yield from changes_text(plan.changes)


def changes_text(changes: Iterable[Change]) -> Iterator[str]:
    """One line for each object, and one for each of its details."""
    for one in changes:
        yield _change(one)
        yield from (f"      {detail}" for detail in one.details)


def _change(one: Change) -> str:
    return f"  {_SIGN[one.action]} {one.object}" + (f"  ({one.location})" if one.location else "")


def _findings(plan: Plan) -> Iterator[str]:
    for since, title in _TITLE.items():
        found = plan.since(since)
        if found:
            yield f"\n{title}:"
            yield from (one.text() for one in found)


def _exempted(plan: Plan) -> Iterator[str]:
    if plan.verdict.exempted:
        yield "\nSet aside by exemptions:"
        yield from (exempted_text(one) for one in plan.verdict.exempted)


def _notes(plan: Plan) -> Iterator[str]:
    if plan.notes:
        yield "\nPast every gate, which no policy can prevent:"
        yield from (one.text() for one in plan.notes)


def _resolved(plan: Plan) -> Iterator[str]:
    if plan.resolved:
        yield "\nNo more:"
        yield from (f"{rule}  {key}\n      {message}" for key, rule, message in plan.resolved)


def _answer(plan: Plan) -> str:
    outcome = "allowed" if plan.verdict.allowed else "denied"
    counts = [_count(plan.since(since), since.value) for since in Since if plan.since(since)]
    counts += [f"{len(plan.verdict.exempted)} exempted"] if plan.verdict.exempted else []
    return f"\nfeast apply would be {outcome}: {'; '.join(counts) or 'no findings'}."


def _count(found: Iterable[object], since: str) -> str:
    levels = [getattr(one, "level", None) for one in found]
    each = [f"{levels.count(level)} {level.value}" for level in Level if level in levels]
    return f"{since}: {', '.join(each)}"
