"""Pack ``gdpr-art5``: what definitions can show of the principles in Art. 5 GDPR (Regulation (EU) 2016/679)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from governance.assets import VIEW_KINDS
from governance.label_types import PURPOSE
from governance.pack_labels import GROUND, RETENTION, SPECIAL_CATEGORY, days_of
from governance.rules.interface import Breach, Question, Rule, Subject
from governance.rules.pii import personal
from governance.verdict import Gate, Level

DEFINED: Final[frozenset[Gate]] = frozenset({"apply"})
USED: Final[frozenset[Gate]] = frozenset({"apply", "train", "deploy"})
HELD: Final = ("data_source", *VIEW_KINDS, "feature_service", "saved_dataset")
"""Kinds that hold or give out values."""

_WRITTEN: Final[frozenset[Gate]] = frozenset({"apply", "materialize"})
_DAY: Final = 86_400


class GdprPurpose(Rule):
    """Personal data has purposes (Art. 5(1)(b), purpose limitation).

    Everything that holds or gives out personal data has a `purpose` label, its own or inherited, and what is made from
    several things has at least one purpose in common with all of them. The rule shows that purposes are written down
    and hold along the way; whether they are specified, explicit and legitimate is for a person to say.
    """

    id = "gdpr.purpose"
    pack = "gdpr-art5"

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where there is no purpose, and one where no purpose is left."""
        if not (subject.asked and personal(subject.state)):
            return
        held = subject.state.get(PURPOSE)
        if held is None:
            fix = 'add the tag purpose, as in purpose="care,research", best at the data source'
            yield Breach(message="personal data without a purpose", fix=fix, path=_pii_path(subject))
        elif not held.value:
            tags = "; ".join(" <- ".join(trail.path) for trail in held.trails)
            fix = "take one of these inputs out, or have its owner widen its purpose"
            yield Breach(message=f"no purpose satisfies all of: {tags}", fix=fix, path=held.trails[0].path)


class GdprSpecialCategory(Rule):
    """Special categories of personal data have a ground (Art. 9(2)).

    What has the label `special-category` has a `ground` label that names at least one of the exceptions `9(2)(a)` to
    `9(2)(j)`. The rule shows that somebody named a ground; it cannot tell whether that ground applies.
    """

    id = "gdpr.special-category"
    pack = "gdpr-art5"

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where no ground of Art. 9(2) is named."""
        special = subject.state.get(SPECIAL_CATEGORY)
        if not subject.asked or special is None:
            return
        ground = subject.state.get(GROUND)
        if ground is None or not any(one.startswith("9(2)") for one in ground.value):
            yield Breach(
                message=f"special category {', '.join(sorted(special.value))} without a ground of Art. 9(2)",
                fix='add the tag ground, as in ground="9(2)(h)", best where special-category stands',
                path=special.trails[0].path,
            )


class GdprMinimisation(Rule):
    """Personal data is there because some feature service uses it (Art. 5(1)(c), data minimisation).

    It names the fields of personal data that no feature service gives out and that nothing given out is computed from.
    It warns unless `levels:` says otherwise, since a view is often written before its service. That a service uses a
    field does not show that it needs it.
    """

    id = "gdpr.minimisation"
    pack = "gdpr-art5"
    gates = DEFINED
    level = Level.WARN

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach that names all such fields of one view."""
        asset = subject.asset
        if not subject.standing or asset.kind not in VIEW_KINDS or not personal(subject.state):
            return
        states, served = question.fields(asset), question.served.get(asset.key, ())
        idle = [name for name, state in states.items() if name not in served and personal(state)]
        if idle:
            message = f"personal data that no feature service uses: {', '.join(idle)}"
            fix = "take these fields out, or name them in a feature service"
            yield Breach(message=message, fix=fix, path=(asset.name,))


class GdprRetention(Rule):
    """Personal data has an end (Art. 5(1)(e), storage limitation).

    Every source and view of personal data has a `retention` label, a period such as `P2Y`; the shortest along the way
    counts, a year as 365 days and a month as 30. A view's `ttl` is bounded and not longer than that. The `ttl` decides
    which values are still given out; the rule cannot tell whether anything was deleted.
    """

    id = "gdpr.retention"
    pack = "gdpr-art5"
    gates = _WRITTEN

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where there is no retention, no `ttl`, or a `ttl` beyond the retention."""
        asset = subject.asset
        if not subject.standing or asset.kind not in ("data_source", *VIEW_KINDS) or not personal(subject.state):
            return
        held = subject.state.get(RETENTION)
        if held is None:
            fix = 'add the tag retention, as in retention="P2Y", best at the data source'
            yield Breach(message="personal data without a retention", fix=fix, path=_pii_path(subject))
        elif "ttl_seconds" in asset.facts:
            wrong = _too_long(int(asset.facts["ttl_seconds"]), days_of(held.value))
            if wrong is not None:
                fix = f"give the view a ttl of at most {days_of(held.value)} days"
                yield Breach(message=wrong, fix=fix, path=held.trails[0].path)


class GdprAccuracy(Rule):
    """What gives out personal data is validated (Art. 5(1)(d), accuracy).

    For every feature service that gives out personal data there is a suite `expectations/NAME.json`, which each
    retrieval of the whole service is held against. The rule cannot tell whether the suite asks the right questions.
    """

    id = "gdpr.accuracy"
    pack = "gdpr-art5"
    gates = USED

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where nobody reported a suite of that name."""
        if personal(subject.state):
            yield from without_suite(subject)


class GdprAccountability(Rule):
    """Somebody answers for all personal data (Art. 5(2), accountability).

    Everything that holds or gives out personal data names its `owner`, feature services and saved datasets included.
    """

    id = "gdpr.accountability"
    pack = "gdpr-art5"
    gates = USED

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where the owner is empty."""
        asset = subject.asset
        if subject.standing and asset.kind in HELD and personal(subject.state) and not asset.owner.strip():
            yield Breach(message="personal data without an owner", fix=OWNER, path=_pii_path(subject))


OWNER: Final = 'name one, as in owner="team@organisation.example"'


def without_suite(subject: Subject) -> Iterator[Breach]:
    """A breach where a feature service has no validation suite."""
    asset = subject.asset
    if subject.standing and asset.kind == "feature_service" and asset.facts.get("suite") is not True:
        fix = f"say in expectations/{asset.name}.json what is expected of its values"
        yield Breach(message="no validation suite", fix=fix, path=(asset.name,))


def _pii_path(subject: Subject) -> tuple[str, ...]:
    return subject.state["pii"].trails[0].path


def _too_long(ttl: int, days: int) -> str | None:
    if ttl == 0:
        return f"its values count for ever (ttl 0); retention: {days} days"
    return f"its ttl is {ttl / _DAY:g} days; retention: {days} days" if ttl > days * _DAY else None
