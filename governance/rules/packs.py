"""Which rules there are: those that are always on, and those that come in packs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from governance.rules.inputs import InputsDefined, LabelsReadable
from governance.rules.interface import Rule
from governance.rules.ownership import OwnershipOwner
from governance.rules.purpose import PurposeAllowed, PurposeRequired
from governance.rules.residency import ResidencyEmpty, ResidencyPlace, ResidencyRequired

ALWAYS: Final[tuple[Rule, ...]] = (InputsDefined(), LabelsReadable(), PurposeRequired(), PurposeAllowed())

PACKS: Final[Mapping[str, tuple[Rule, ...]]] = {
    "residency": (ResidencyRequired(), ResidencyPlace(), ResidencyEmpty()),
    "ownership": (OwnershipOwner(),),
}

PLANNED: Final = ("pii", "gdpr-art5", "eu-ai-act-art10")
"""Packs that the grammar knows and that are not there yet: naming one is an error, never a silent pass."""

BUILT_IN: Final[Mapping[str, Rule]] = {
    rule.id: rule for rule in (*ALWAYS, *(rule for pack in PACKS.values() for rule in pack))
}
"""Every rule that ships, by id."""
