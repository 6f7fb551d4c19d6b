"""Pack ``residency``: data is only where its labels allow it to be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from governance.assets import VIEW_KINDS
from governance.label_types import RESIDENCY
from governance.rules.interface import Breach, Question, Rule, Subject
from governance.trails import Held

_HOLDERS = ("data_source", *VIEW_KINDS, "snapshot")
"""Kinds that hold rows."""


class ResidencyRequired(Rule):
    """Every data source, every feature view and every snapshot that a model learns from says where it may be.

    Its own `residency` tag counts, a tag on each of its fields, or a residency that it inherits from what
    it is made from. Best is to tag the data source: everything made from it then has the label. A model that no
    recorded training made learned from `snapshot:unknown`, which says nothing.
    """

    id = "residency.required"
    pack = "residency"

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where neither the object nor anything it is made from has a residency."""
        asset = subject.asset
        if (
            not subject.standing
            or asset.kind not in ("data_source", *VIEW_KINDS, "snapshot")
            or RESIDENCY in subject.state
        ):
            return
        if RESIDENCY in asset.tags and question.misread(asset.key):
            return  # labels.readable says it better
        known = ", ".join(question.policy.zones.names) or "none yet: declare zones: in the policy"
        yield Breach(
            message="no residency: neither a tag here nor one on anything it is made from",
            fix=f'add the tag residency, as in tags={{"residency": "..."}}; zones of {question.policy.name}: {known}',
            path=(asset.name,),
        )


class ResidencyPlace(Rule):
    """Every place of an object lies in a zone that its labels allow.

    Places are the files and tables of its sources, and the stores that it flows to by the repository's
    configuration. All of them must lie wholly within the allowed jurisdictions. A place that no line of
    `places:` matches is unknown, and an unknown place satisfies no residency.
    """

    id = "residency.place"
    pack = "residency"

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """One breach for each place that lies, or may lie, outside of what is allowed."""
        held = subject.state.get(RESIDENCY)
        if held is None or not (subject.standing or subject.combines):
            return
        for role, place in subject.places:
            zone, jurisdictions = question.lies_in(place)
            if jurisdictions is None or not jurisdictions <= held.value:
                yield _misplaced(held, role.replace("_", " "), place, zone)


class ResidencyEmpty(Rule):
    """There is at least one jurisdiction where an object may be.

    What is made from several things may only be where all of them may be. Where they have no jurisdiction
    in common, the thing must not exist: take one of them out, widen a residency, or declassify an input
    (for example one that only counts).
    """

    id = "residency.empty"
    pack = "residency"

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where what is allowed is empty, with every tag that took part."""
        held = subject.state.get(RESIDENCY)
        if held is None or held.value or not (subject.standing or subject.combines):
            return
        yield Breach(
            message=f"nowhere is allowed: no jurisdiction satisfies all of: {_tags(held)}",
            fix="take one of these inputs out, widen a residency, or declassify an input",
            path=held.trails[0].path,
        )


def _misplaced(held: Held, role: str, place: str, zone: str | None) -> Breach:
    allowed = _names(held.value)
    also = f" (narrowed by all of: {_tags(held)})" if len(held.trails) > 1 else ""
    if zone is None:
        return Breach(
            message=f"{role} {place} lies in no known zone; allowed: {allowed}{also}",
            fix=f"if it lies in {allowed}, say so under places: in the policy; else move the {role}",
            path=held.trails[0].path,
        )
    return Breach(
        message=f"{role} {place} lies in {zone}; allowed: {allowed}{also}",
        fix=f"move the {role} to a place in {allowed}, or have the owner of {_declared_at(held)} widen its residency",
        path=held.trails[0].path,
    )


def _declared_at(held: Held) -> str:
    return held.trails[0].keys[-1]


def _tags(held: Held) -> str:
    return "; ".join(" <- ".join(trail.path) for trail in held.trails)


def _names(values: Iterable[str]) -> str:
    return ", ".join(sorted(values)) or "nowhere"
