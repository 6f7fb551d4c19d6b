"""An expectation suite: what a table must look like, read from a Great Expectations JSON file.

    suite = read_suite(Path("expectations/liver_risk.json"))
    suite.name, len(suite.expectations)

Every expectation must say its severity: a default would decide silently what blocks a training.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from rfc8785 import CanonicalizationError

from governance.canonical import Json, canonical_json
from governance.validation.errors import SuiteError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_OLD_NAME, _OLD_TYPE = "expectation_suite_name", "expectation_type"
"""What files written by Great Expectations before 1.0 call the two."""


class Severity(StrEnum):
    """What a failure means, in Great Expectations' own words."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Expectation:
    """One expectation."""

    type: str
    """Great Expectations' name, such as ``expect_column_values_to_not_be_null``."""
    arguments: str
    """Its keyword arguments as RFC 8785 JSON text, so that the value is frozen and hashable."""
    severity: Severity

    @property
    def kwargs(self) -> dict[str, Json]:
        """The keyword arguments, a fresh dictionary each time."""
        kwargs: dict[str, Json] = json.loads(self.arguments)
        return kwargs

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns it speaks about; empty for one about the whole table."""
        kwargs = self.kwargs
        named = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
        return tuple(map(str, (*named, *kwargs.get("column_list", ()))))

    @property
    def column(self) -> str | None:
        """The columns as one label, comma-separated; None for an expectation about the whole table."""
        return ",".join(self.columns) or None


@dataclass(frozen=True)
class Suite:
    """A named, ordered set of expectations."""

    name: str
    expectations: tuple[Expectation, ...]

    @cached_property
    def sha256(self) -> str:
        """Hex SHA-256 of :attr:`document` as RFC 8785 JSON: whoever has the suite can tell whether it is this one."""
        return sha256(canonical_json(self.document)).hexdigest()

    @property
    def document(self) -> dict[str, Json]:
        """``name`` and ``expectations``, each with ``type``, ``kwargs`` and ``severity``: all that decides."""
        listed = [{"type": one.type, "kwargs": one.kwargs, "severity": one.severity.value} for one in self.expectations]
        return {"name": self.name, "expectations": listed}


def read_suite(path: Path) -> Suite:
    """The suite in the JSON file ``path``. Raises :class:`SuiteError` naming the file."""
    try:
        document = json.loads(path.read_bytes())
    except OSError as problem:
        raise SuiteError(f"{path}: cannot be read ({problem.strerror}); expected an expectation suite") from problem
    except ValueError as problem:
        raise SuiteError(f"{path}: not JSON in UTF-8 ({problem}); expected an expectation suite") from problem
    return parse_suite(document, origin=str(path))


def parse_suite(document: Json, *, origin: str) -> Suite:
    """The suite in ``document``; ``origin`` opens the error texts. Raises :class:`SuiteError`."""
    name = document.get("name", document.get(_OLD_NAME)) if isinstance(document, dict) else None
    if not isinstance(name, str):
        raise SuiteError(f"{origin}: no suite name; expected an object with 'name' and 'expectations'")
    listed = document.get("expectations")
    if not isinstance(listed, list) or not listed:
        raise SuiteError(f"{origin}: no expectations; an empty suite would approve everything, so add one or remove it")
    expectations = (_expectation(item, f"{origin}: expectation {at}") for at, item in enumerate(listed, start=1))
    return Suite(name=name, expectations=tuple(expectations))


def _expectation(item: Json, place: str) -> Expectation:
    kind = item.get("type", item.get(_OLD_TYPE)) if isinstance(item, dict) else None
    if not isinstance(kind, str):
        raise SuiteError(f"{place} has no type; expected one such as 'expect_column_values_to_not_be_null'")
    place, kwargs = f"{place} ({kind})", item.get("kwargs", {})
    if not isinstance(kwargs, dict):
        raise SuiteError(f"{place}: kwargs is no object; expected argument names and values")
    names = kwargs.get("column_list", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SuiteError(f"{place}: column_list is no list of column names")
    try:
        arguments = canonical_json(kwargs).decode()
    except CanonicalizationError as problem:
        raise SuiteError(f"{place}: kwargs have no canonical JSON ({problem})") from problem
    return Expectation(type=kind, arguments=arguments, severity=_severity(item, place))


def _severity(item: Mapping[str, Json], place: str) -> Severity:
    found = item.get("severity")
    if not isinstance(found, str) or found not in set(Severity):
        known = ", ".join(Severity)
        raise SuiteError(f"{place}: severity is {found!r}; expected one of {known}")
    return Severity(found)
