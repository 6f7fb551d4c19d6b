"""Pack ``ownership``: somebody answers for every source and view."""

from __future__ import annotations

from collections.abc import Iterator

from governance.assets import VIEW_KINDS
from governance.rules.interface import Breach, Question, Rule, Subject


class OwnershipOwner(Rule):
    """Every data source and feature view names an owner.

    The owner is Feast's own `owner` of the object: a person or team that can be reached.
    """

    id = "ownership.owner"
    pack = "ownership"

    def check(self, subject: Subject, question: Question) -> Iterator[Breach]:
        """A breach where the owner is empty."""
        asset = subject.asset
        if subject.standing and asset.kind in ("data_source", *VIEW_KINDS) and not asset.owner.strip():
            yield Breach(
                message="no owner",
                fix='name one, as in owner="team@organisation.example"',
                path=(asset.name,),
            )
