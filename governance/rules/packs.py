"""Which rules there are: those that are always on, and those that come in packs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from governance.rules.ai_act import AiActBias, AiActDataCard, AiActDescribed, AiActOrigin, AiActOwner, AiActSuite
from governance.rules.exceptions import ExemptionsExpiring
from governance.rules.gdpr import (
    GdprAccountability,
    GdprAccuracy,
    GdprMinimisation,
    GdprPurpose,
    GdprRetention,
    GdprSpecialCategory,
)
from governance.rules.inputs import InputsDefined, LabelsReadable
from governance.rules.interface import Rule
from governance.rules.ownership import OwnershipOwner
from governance.rules.pii import PiiContradicted, PiiDeclared, PiiSpecialCategory
from governance.rules.purpose import PurposeAllowed, PurposeRequired
from governance.rules.residency import ResidencyEmpty, ResidencyPlace, ResidencyRequired

ALWAYS: Final[tuple[Rule, ...]] = (
    InputsDefined(),
    LabelsReadable(),
    PurposeRequired(),
    PurposeAllowed(),
    ExemptionsExpiring(),
)

PACKS: Final[Mapping[str, tuple[Rule, ...]]] = {
    "residency": (ResidencyRequired(), ResidencyPlace(), ResidencyEmpty()),
    "ownership": (OwnershipOwner(),),
    "pii": (PiiDeclared(), PiiContradicted(), PiiSpecialCategory()),
    "gdpr-art5": (
        GdprPurpose(),
        GdprSpecialCategory(),
        GdprMinimisation(),
        GdprRetention(),
        GdprAccuracy(),
        GdprAccountability(),
    ),
    "eu-ai-act-art10": (
        AiActOrigin(),
        AiActDataCard(),
        AiActDescribed(),
        AiActBias(),
        AiActSuite(),
        AiActOwner(),
    ),
}

BUILT_IN: Final[Mapping[str, Rule]] = {
    rule.id: rule for rule in (*ALWAYS, *(rule for pack in PACKS.values() for rule in pack))
}
"""Every rule that ships, by id."""
