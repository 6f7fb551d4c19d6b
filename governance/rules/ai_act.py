"""Pack ``eu-ai-act-art10``: what definitions can show of Art. 10 of the AI Act (Regulation (EU) 2024/1689).

Art. 10 asks for data governance of high-risk systems: examined, documented, and answered for. These rules show that
something is written down where a reader will look for it, never that a system complies.
"""

from __future__ import annotations

from collections.abc import Iterator

from governance.assets import VIEW_KINDS
from governance.pack_labels import BIAS_RELEVANT
from governance.rules.gdpr import OWNER, USED, without_suite
from governance.rules.interface import Breach, Question, Rule, Subject
from governance.rules.pii import personal

NO_ORIGIN = frozenset({"RequestSource", "PushSource"})
"""Classes of sources whose rows come with a request or by push: the batch source behind them has the origin."""


class AiActOrigin(Rule):
    """Every data source says where its data comes from (Art. 10(2)(b), collection and origin of data).

    The tag `origin` names who collected it, how, and (for personal data) what for. Sources that come with a request or
    by push are left out. The rule cannot tell whether that is what happened.
    """

    id = "ai-act.origin"
    pack = "eu-ai-act-art10"
    gates = USED

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where the tag is absent or empty."""
        yield from _untagged(subject, "origin", 'add the tag origin, as in origin="laboratory system, routine care"')


class AiActDataCard(Rule):
    """Every data source has a data card (Art. 10(2)(d) to (h): assumptions, suitability, biases, gaps).

    The tag `data-card` names the document. The rule cannot tell what stands in it.
    """

    id = "ai-act.data-card"
    pack = "eu-ai-act-art10"
    gates = USED

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where the tag is absent or empty."""
        yield from _untagged(subject, "data-card", 'add the tag data-card, as in data-card="DATA_CARD.md"')


class AiActDescribed(Rule):
    """Every feature view and on-demand view is described (Art. 10(2)(c) and (d), preparation and assumptions).

    The description says what the values are, in which units, and what was done to them.
    """

    id = "ai-act.described"
    pack = "eu-ai-act-art10"
    gates = USED

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where the description is empty."""
        asset = subject.asset
        if subject.standing and asset.kind in VIEW_KINDS and not str(asset.facts.get("description", "")).strip():
            yield Breach(message="no description", fix="say what the values are", path=(asset.name,))


class AiActBias(Rule):
    """Of personal data that a model is given, each attribute says whether it bears on bias (Art. 10(2)(f) and (g)).

    The tag `bias-relevant`, `"true"` or `"false"`, stands on the field or on its view, or is inherited. Every field of
    personal data that reaches a feature service is asked for it. The rule shows that each attribute was considered, not
    that no bias was overlooked.
    """

    id = "ai-act.bias"
    pack = "eu-ai-act-art10"
    gates = USED

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach that names all such fields of one view."""
        asset = subject.asset
        if not subject.standing or asset.kind not in VIEW_KINDS or not personal(subject.state):
            return
        states = question.fields(asset)
        served = [name for name in states if name in question.served.get(asset.key, ())]
        silent = [name for name in served if BIAS_RELEVANT not in states[name] and personal(states[name])]
        if silent:
            yield Breach(
                message=f"nobody says whether these bear on bias: {', '.join(silent)}",
                fix='add the tag bias-relevant, "true" or "false", to each field or to the view',
                path=(asset.name,),
            )


class AiActSuite(Rule):
    """Every feature service is validated (Art. 10(3), relevant and to the best extent possible free of errors).

    There is a suite `expectations/NAME.json`, which each retrieval of the whole service is held against. The rule
    cannot tell whether the suite asks the right questions.
    """

    id = "ai-act.suite"
    pack = "eu-ai-act-art10"
    gates = USED

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where nobody reported a suite of that name."""
        yield from without_suite(subject)


class AiActOwner(Rule):
    """Somebody answers for everything that a model is given (Art. 10(2), data governance).

    Every data source, feature view and feature service names its `owner`.
    """

    id = "ai-act.owner"
    pack = "eu-ai-act-art10"
    gates = USED

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where the owner is empty."""
        asset = subject.asset
        asked = asset.kind in ("data_source", *VIEW_KINDS, "feature_service")
        if subject.standing and asked and not asset.owner.strip():
            yield Breach(message="no owner", fix=OWNER, path=(asset.name,))


def _untagged(subject: Subject, tag: str, fix: str) -> Iterator[Breach]:
    asset = subject.asset
    if not subject.standing or asset.kind != "data_source" or asset.facts.get("source_type") in NO_ORIGIN:
        return
    if not str(asset.tags.get(tag, "")).strip():
        yield Breach(message=f"no {tag}", fix=fix, path=(asset.name,))
