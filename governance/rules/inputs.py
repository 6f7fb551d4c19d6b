"""Rules that are always on, because without them all others would judge guesses."""

from __future__ import annotations

from collections.abc import Iterator

from governance.assets import Definitions, Input
from governance.labels import PROJECTIONS
from governance.rules.interface import Breach, Question, Rule, Subject


class InputsDefined(Rule):
    """Whatever an object is made from, and whatever a request asks for, is defined.

    An input that is nowhere defined could carry any label, so nothing can be said about what is made
    from it. Define it, or no longer use it. This rule is always on and always denies.
    """

    id = "inputs.defined"
    fixed = True

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """One breach for each input that is missing, or lacks a field that is read."""
        if subject.asked and not subject.standing and not subject.asset.inputs:
            yield Breach(
                message="the request names no object, so there is nothing to judge",
                fix="name what is asked for",
                path=(subject.asset.name,),
            )
        for one in subject.asset.inputs:
            missing = _missing(one, question.definitions)
            if missing:
                yield Breach(message=f"reads {missing}", fix=_FIX, path=(subject.asset.name,))


_FIX = "define it in this repository, or no longer read it"


def _missing(one: Input, definitions: Definitions) -> str | None:
    if one.key not in definitions:
        return f"{one.key}, which is not defined"
    asset = definitions[one.key]
    if not asset.fields or asset.kind in PROJECTIONS:
        return None
    known = {field.name for field in asset.fields}
    unknown = [name for name in one.fields or () if name not in known]
    return f"{', '.join(unknown)} of {one.key}, which has no such field" if unknown else None


class LabelsReadable(Rule):
    """Every tag that is a label has a value that the label knows.

    `residency` names declared zones or jurisdictions, separated by commas; `pii` is `true` or `false`;
    `purpose` names purposes, separated by commas; labels that the policy declares take the values it lists.
    A tag that cannot be read protects nothing. This rule is always on and always denies.
    """

    id = "labels.readable"
    fixed = True

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """One breach for each tag of the object or its fields that means nothing."""
        if subject.standing:
            for one in question.misread(subject.asset.key):
                message = f"found {one.why.found}"
                yield Breach(message=message, fix=f"write {one.why.expected}", path=(one.where,))
