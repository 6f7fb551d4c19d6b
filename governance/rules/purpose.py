"""Rules about purposes: always on, and silent where no label speaks of purposes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from governance.label_types import PURPOSE
from governance.rules.interface import Breach, Question, Rule, Subject
from governance.verdict import Gate

_USES: Final[frozenset[Gate]] = frozenset({"retrieve", "online", "materialize", "train"})


class PurposeRequired(Rule):
    """Who uses data with a `purpose` label says for what.

    The purpose comes from `with governance.acting(purpose=...)`, else from `PROVENDER_PURPOSE`, else it is
    the only one that `callers:` grants to the caller.
    """

    id = "purpose.required"
    gates = _USES

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where values with a purpose label are wanted and no purpose is known."""
        held = subject.state.get(PURPOSE)
        if subject.asked and held is not None and question.purpose is None:
            yield Breach(
                message=f"no purpose is stated; allowed: {_names(held.value)}",
                fix="state one: with governance.acting(purpose=...), or PROVENDER_PURPOSE",
                path=held.trails[0].path,
            )


class PurposeAllowed(Rule):
    """The purpose of an act is one that the labels allow, and one that its caller is granted.

    Once a policy has `callers:`, a caller acts for the purposes of the lines that match, and for no others.
    """

    id = "purpose.allowed"
    gates = _USES

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where the purpose is not among the allowed ones, and one where it is not granted."""
        held = subject.state.get(PURPOSE)
        if not subject.asked or held is None or question.purpose is None:
            return
        path = held.trails[0].path
        if question.purpose not in held.value:
            message = f"purpose {question.purpose} is not allowed; allowed: {_names(held.value)}"
            yield Breach(message=message, fix="act for an allowed purpose, or ask the owner of the data", path=path)
        granted = question.policy.granted(question.caller)
        if question.policy.callers and question.purpose not in granted:
            message = f"{question.caller or 'an unknown caller'} is not granted purpose {question.purpose}"
            fix = f"act for a granted purpose ({_names(granted)}), or add it under callers: in the policy"
            yield Breach(message=message, fix=fix, path=path)


def _names(values: frozenset[str]) -> str:
    return ", ".join(sorted(values)) or "none"
