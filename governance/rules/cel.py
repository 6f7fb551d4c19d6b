"""Rules that a policy writes itself, in CEL (Common Expression Language, https://cel.dev).

An expression is compiled and type-checked when the policy is read, against the facts of the kind it is on
(:mod:`governance.facts`); it is true where the rule is violated. One that fails while it runs denies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from governance.facts import facts_for, facts_of
from governance.rules.interface import Breach, Question, Rule, Subject
from governance.verdict import Gate, Level


class CelError(ValueError):
    """An expression that does not compile, or is no yes-or-no question; its text says why."""


@dataclass(frozen=True, kw_only=True)
class CelRule(Rule):
    """A rule of the policy's own, written in CEL."""

    id: str
    on: str
    """The kind of object it judges."""
    when: str
    """The expression; true means violated."""
    message: str
    fix: str
    level: Level
    gates: frozenset[Gate]
    reads: tuple[str, ...]
    """The facts that the expression may name."""
    program: Any = field(repr=False, compare=False)
    """What the CEL runtime made of ``when``."""

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where the expression is true, and a fatal one where it fails."""
        asset = subject.asset
        if not subject.standing or asset.kind != self.on:
            return
        answer = self._answer(subject)
        if answer is True:
            yield Breach(message=self.message, fix=self.fix, path=(asset.name,))
        elif answer is not False:
            yield Breach(
                message=f"the rule could not be decided, so it denies: {answer}",
                fix=f"correct 'when' of rule {self.id} in {question.policy.name}, or the object's tags and facts",
                path=(asset.name,),
                fatal=True,
            )

    def _answer(self, subject: Subject) -> object:
        facts = facts_of(subject.asset, subject.state, [place for _, place in subject.places], only=self.reads)
        absent = [name for name in self.reads if name not in facts]
        if absent:
            return f"nobody reported the fact {', '.join(absent)}"
        try:
            return self.program.eval(data=facts).plain_value()
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:  # a fact of another type than declared
            return str(error)


def cel_program(expression: str, *, on: str) -> tuple[Any, tuple[str, ...]]:
    """The compiled expression and the facts it may read. Raises CelError."""
    environment, boolean = _environment(on)
    try:
        program = environment.compile(expression)
    except RuntimeError as error:  # the C++ runtime's only error
        raise CelError(_first_line(str(error))) from error
    if program.return_type() != boolean:
        raise CelError(f"its value is {program.return_type().name()}, not true or false")
    names = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", expression))
    return program, tuple(name for name in facts_for(on) if name in names)


@lru_cache
def _environment(kind: str) -> tuple[Any, Any]:
    """The CEL environment of one kind, and CEL's type of booleans."""
    from cel_expr_python import cel  # a C++ runtime, loaded only where a policy has rules of its own

    types = {
        "string": cel.Type.STRING,
        "int": cel.Type.INT,
        "bool": cel.Type.BOOL,
        "list<string>": cel.Type.List(cel.Type.STRING),
        "map<string,string>": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
        "map<string,list<string>>": cel.Type.Map(cel.Type.STRING, cel.Type.List(cel.Type.STRING)),
    }
    return cel.NewEnv(variables={name: types[fact.type] for name, fact in facts_for(kind).items()}), cel.Type.BOOL


def _first_line(text: str) -> str:
    """The runtime's sentence, without its status, position in "<input>" and drawing."""
    return re.sub(r"^(?:INVALID_ARGUMENT: )?(?:ERROR: <input>:\d+:\d+: )?", "", text.splitlines()[0])
