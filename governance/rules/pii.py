"""Pack ``pii``: whether something is personal data is said, and said truly as far as tags can tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from governance.assets import VIEW_KINDS
from governance.label_types import PII
from governance.pack_labels import SPECIAL_CATEGORY
from governance.rules.interface import Breach, Question, Rule, Subject
from governance.trails import Held, State

_YES: Final = frozenset({"true"})


def personal(state: State) -> bool:
    """Whether a state is that of personal data."""
    return PII in state and state[PII].value == _YES


class PiiDeclared(Rule):
    """Every data source, entity and feature view says whether it is personal data.

    Its own `pii` tag counts, one that it inherits, or one on each of its fields. `pii: "false"` is an answer too;
    silence is none. The rule cannot tell whether the answer is true: it does not look at the data.
    """

    id = "pii.declared"
    pack = "pii"

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where nobody said anything, and one that names the fields of which nobody did."""
        asset = subject.asset
        if not subject.standing or asset.kind not in ("data_source", "entity", *VIEW_KINDS):
            return
        if PII in asset.tags:
            return  # labels.readable says it where the tag means nothing
        silent = [name for name, state in question.fields(asset).items() if PII not in state]
        if PII not in subject.state:
            yield Breach(message="nobody says whether this is personal data", fix=_SAY, path=(asset.name,))
        elif silent:
            message = f"nobody says whether these fields are personal data: {', '.join(silent)}"
            yield Breach(message=message, fix=_SAY, path=(asset.name,))


_SAY: Final = 'add the tag pii, "true" or "false", here or to what it is made from'


class PiiContradicted(Rule):
    """Nothing says that it is no personal data while it is made from personal data.

    A tag `pii: "false"` on an object or a field does not take away what it inherits. Where the result really is no
    personal data any more, such as a count of many persons, say so by a declassification, which has an owner, a reason,
    an approver and an end. The rule cannot tell whether an aggregation is anonymous.
    """

    id = "pii.contradicted"
    pack = "pii"

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """One breach for the object and one for each field whose tag and inheritance disagree."""
        asset = subject.asset
        if not subject.standing:
            return
        yield from _contradiction(asset.tags, subject.state, asset.name)
        for field in asset.fields:
            if PII in field.tags:
                state = question.fields(asset)[field.name]
                yield from _contradiction(field.tags, state, f"{asset.name}.{field.name}")


def _contradiction(tags: Mapping[str, str], state: State, name: str) -> Iterator[Breach]:
    inherited = _inherited(state[PII]) if tags.get(PII) == "false" and personal(state) else None
    if inherited is not None:
        yield Breach(
            message=f'{name} says pii="false" and is made from personal data',
            fix="take the tag out, read fields that are no personal data, or declassify pii here",
            path=inherited,
        )


def _inherited(held: Held) -> tuple[str, ...] | None:
    return next((trail.path for trail in held.trails if trail.origin is not None), None)


class PiiSpecialCategory(Rule):
    """Whatever is of a special category is declared personal data.

    The tag `special-category` names categories of Art. 9(1) GDPR, such as `health` or `genetic`, which exist of persons
    only. The rule cannot find categories that nobody tagged.
    """

    id = "pii.special-category"
    pack = "pii"

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where the label is there and `pii` is not true, with the fields it is about."""
        asset = subject.asset
        if not subject.standing or SPECIAL_CATEGORY not in subject.state:
            return
        states = [*question.fields(asset).values()] or [subject.state]
        wrong = next((one for one in states if SPECIAL_CATEGORY in one and not personal(one)), None)
        if wrong is not None:
            held = wrong[SPECIAL_CATEGORY]
            yield Breach(
                message=f"of a special category ({', '.join(sorted(held.value))}) and not declared personal data",
                fix='add the tag pii="true" where special-category stands',
                path=held.trails[0].path,
            )
