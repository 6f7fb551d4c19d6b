"""Which logs and witnesses the auditor trusts: C2SP tlog-policy (https://c2sp.org/tlog-policy).

log <vkey> [<url>]
witness <name> <vkey> [<url>]
group <name> all|any|<k> <member>...
quorum <name>|none
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from audit.verify.errors import Malformed
from audit.verify.note import SignatureType, Verifier, parse_vkey

MAX_LINES = 200


@dataclass(frozen=True)
class Group:
    """At least ``threshold`` of ``members`` (witnesses or earlier groups)."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class TlogPolicy:
    """A parsed policy."""

    quorum: str
    """a witness, a group, or ``none``"""
    logs: tuple[Verifier, ...] = ()
    witnesses: Mapping[str, Verifier] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)

    def is_met(self, cosigned: Collection[str]) -> bool:
        """Whether the witnesses that cosigned are a quorum."""
        return self.quorum == "none" or self._witnessed(self.quorum, cosigned)

    def _witnessed(self, name: str, cosigned: Collection[str]) -> bool:
        if (group := self.groups.get(name)) is None:
            return name in cosigned
        return sum(self._witnessed(member, cosigned) for member in group.members) >= group.threshold


def parse_policy(text: str) -> TlogPolicy:
    """The policy in ``text``. Raises Malformed naming the line."""
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text) or text.count("\n") > MAX_LINES:
        raise Malformed(f"the tlog policy has control characters or more than {MAX_LINES} lines")
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        words = re.findall(r"[^ \t]+", line)
        if words and not words[0].startswith("#"):
            try:
                reader.line(words)
            except Malformed as error:
                raise Malformed(f"tlog policy, line {number}: {error}") from error
    if reader.quorum is None:
        raise Malformed("the tlog policy has no quorum line; `quorum none` demands no witness")
    return TlogPolicy(reader.quorum, tuple(reader.logs), reader.witnesses, reader.groups)


class _Reader:
    """Takes the lines of a policy in order; a name must be defined before it is used."""

    def __init__(self) -> None:
        self.quorum: str | None = None
        self.logs: list[Verifier] = []
        self.witnesses: dict[str, Verifier] = {}
        self.groups: dict[str, Group] = {}
        self.grouped: set[str] = set()

    def line(self, words: list[str]) -> None:
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self.logs.append(self._key(vkey, self.logs, cosigner=False))
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                self._fresh(name)
                self.witnesses[name] = self._key(vkey, self.witnesses.values(), cosigner=True)
            case ["group", name, threshold, _, *_]:
                self._fresh(name)
                self.groups[name] = self._group(threshold, tuple(words[3:]))
            case ["quorum", name] if self.quorum is None:
                if name != "none":
                    self._known(name)
                self.quorum = name
            case _:
                raise Malformed(f"not a log, witness, group or (single) quorum line: {' '.join(words)!r}")

    def _group(self, threshold: str, members: tuple[str, ...]) -> Group:
        for member in members:
            self._known(member)
            if member in self.grouped:
                raise Malformed(f"{member!r} is a member of a group twice")
            self.grouped.add(member)
        number = {"all": str(len(members)), "any": "1"}.get(threshold, threshold)
        if not re.fullmatch(r"[1-9][0-9]{0,3}", number) or int(number) > len(members):
            raise Malformed(
                f"a threshold of {threshold!r} for {len(members)} members; expected all, any or 1..{len(members)}"
            )
        return Group(int(number), members)

    def _fresh(self, name: str) -> None:
        if name == "none" or name in self.witnesses or name in self.groups:
            raise Malformed(f"the name {name!r} is taken")

    def _known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise Malformed(f"{name!r} is not defined on a line before")

    @staticmethod
    def _key(vkey: str, others: Collection[Verifier], *, cosigner: bool) -> Verifier:
        found = parse_vkey(vkey)
        if (found.type is SignatureType.COSIGNATURE) != cosigner:
            raise Malformed(
                f"the key of {found.name!r} has type 0x{found.type:02x}; expected 0x04 of a witness, or a log's"
            )
        if any(other.key.spki == found.key.spki for other in others):
            raise Malformed(f"the key of {found.name!r} is on a line before")
        return found
