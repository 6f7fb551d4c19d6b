"""What a verification says: numbered steps, the links of the chain with their evidence, one level."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from audit.verify.chain import Link
from audit.verify.errors import Malformed, VerificationError

MAX_REASON = 2000
"""characters"""


class Outcome(StrEnum):
    """How a step ended. What could not be done is never OK."""

    OK = "OK"
    FAILED = "FAILED"
    NOT_CHECKED = "NOT CHECKED"


@dataclass(frozen=True)
class Step:
    """One numbered step of docs/verification.md."""

    number: int
    name: str
    outcome: Outcome
    reason: str
    """what was checked; or what was found and expected; or why it could not be done"""

    @property
    def failed(self) -> bool:
        """Whether something wrong was found."""
        return self.outcome is Outcome.FAILED


@dataclass(frozen=True)
class CheckedLink:
    """A link of the chain, and what stands behind it here and now."""

    link: Link
    evidence: str
    """`content recomputed here; …`, `operator's claim of TIME, signed`, or `GAP`"""


@dataclass(frozen=True)
class Verification:
    """The answer of ``verify_bundle``."""

    steps: tuple[Step, ...]
    links: tuple[CheckedLink, ...]
    level: str
    """CONSISTENT-ONLY, LOG-SIGNED, WITNESSED(k/n); NOT VERIFIED where a step failed"""
    as_of: str
    """time of the bundle (the operator's clock) and size of the tree"""
    ok: bool
    """no step failed; gaps and unchecked steps are in ``links`` and ``steps``"""

    @property
    def gaps(self) -> int:
        """How many links nothing proves."""
        return sum(bool(each.link.gap) for each in self.links)


@dataclass(frozen=True)
class Table:
    """A stored table's digest, recomputed from its data."""

    digest: str
    """``td1-sha256:<hex>``"""
    column_roots: dict[str, str]


class Recompute(Protocol):
    """Recomputes digests from data that the auditor has; ``audit.recompute`` is the real one.

    None: there is no such data. Raises Malformed: there is, and it cannot be read.
    """

    def table(self, snapshot: str) -> Table | None:
        """The digest of the data stored under this name (``td1-sha256:<hex>`` or ``random:<hex>``)."""
        ...

    def model_files(self, model: str) -> list[tuple[str, int, str]] | None:
        """(path, size, sha256 hex) of the files stored under ``oms1-sha256:<hex>``, signature file left out."""
        ...


class NotChecked(Exception):
    """A step could not be done; its text says why."""


class StepLog:
    """Runs checks in order and keeps what they said. A check returns its words, or raises."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def run(self, name: str, check: Callable[[], str]) -> bool:
        """Whether the check passed."""
        try:
            outcome, reason = Outcome.OK, check()
        except NotChecked as why:
            outcome, reason = Outcome.NOT_CHECKED, str(why)
        except VerificationError as error:
            outcome, reason = Outcome.FAILED, str(error)
        except RecursionError:
            outcome, reason = Outcome.FAILED, "a document is nested too deeply to be one of ours"
        self.steps.append(Step(len(self.steps) + 1, name, outcome, _printable(reason)))
        return outcome is Outcome.OK


def each(what: str, checks: Iterable[tuple[str, Callable[[], object]]]) -> str:
    """Run one check for each thing; raises Malformed with all reasons, or says how many passed."""
    count, failed = 0, []
    for name, check in checks:
        count += 1
        try:
            check()
        except VerificationError as error:
            failed.append(f"{name}: {error}")
    if failed:
        raise Malformed("; ".join(failed[:5]) + (f"; and {len(failed) - 5} more" if len(failed) > 5 else ""))
    if not count:
        raise NotChecked(f"the bundle has no {what}")
    return f"{count} {what}"


def _printable(reason: str) -> str:
    """Words of a bundle may stand in a reason; they do not command the reader's terminal."""
    return "".join(character if character.isprintable() else "?" for character in reason[:MAX_REASON])
