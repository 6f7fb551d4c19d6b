"""Turning the members of a predicate into lines that a person can read.

Only scalars pass: a list could be one of entity keys or rows, so that it is counted, never printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from audit.report.report import Fact

_DIGEST_LENGTH = 64


def text(value: Any) -> str:
    """``value`` as one line: grouped digits, yes and no, six significant digits; a dash for what is not known."""
    match value:
        case None | "":
            return "not recorded"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.6g}"
        case list() | tuple():
            return f"{len(value):,} entries" if value else "none"
        case Mapping():
            return f"{len(value):,} entries"
        case _:
            return str(value)


def looks_like_code(value: Any) -> bool:
    """Whether ``value`` is a digest, a uuid or a URI, to be set in a fixed-width type."""
    return isinstance(value, str) and (
        "sha256:" in value
        or "://" in value
        or (len(value) in (36, 40, _DIGEST_LENGTH) and all(letter in "0123456789abcdef-" for letter in value.lower()))
    )


def fact(label: str, value: Any, *, code: bool | None = None) -> Fact:
    """One fact; whether it is code is seen from the value where it is not said."""
    return Fact(label, text(value), looks_like_code(value) if code is None else code)


def known(*pairs: tuple[str, Any]) -> tuple[Fact, ...]:
    """A fact for each pair that has a value; what was not recorded takes no line."""
    return tuple(fact(label, value) for label, value in pairs if value is not None and value not in ("", [], {}))


def flattened(values: Mapping[str, Any], *, under: str = "") -> Iterable[Fact]:
    """Facts for whatever a mapping holds, nested names joined with a middle dot, in the order of names."""
    for name in sorted(values):
        value, label = values[name], f"{under} · {spaced(name)}" if under else spaced(name).capitalize()
        if isinstance(value, Mapping):
            yield from flattened(value, under=label)
        elif isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
            yield fact(label, list(value))
        elif value is not None:
            yield fact(label, value)


def spaced(name: str) -> str:
    """``learning_rate`` as ``learning rate``."""
    return name.replace("_", " ")


def size(octets: Any) -> str:
    """A number of bytes: exact, and rounded where that helps."""
    if not isinstance(octets, int):
        return "size not recorded"
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if octets >= factor:
            return f"{octets / factor:.1f} {unit} ({octets:,} bytes)"
    return f"{octets:,} bytes"


def count(number: Any, noun: str) -> str:
    """``1 file``, ``1,945 rows``; plural by s."""
    if not isinstance(number, int):
        return f"unknown number of {noun}s"
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def moment(time: str | None) -> str:
    """An RFC 3339 time to the second, as people write it, always in UTC."""
    if not time:
        return "at an unknown time"
    return f"{time[:10]} {time[11:19]} UTC" if len(time) >= 19 else time


def mapping(value: Any) -> Mapping[str, Any]:
    """``value`` where it is a mapping, else an empty one: a record of another version may lack a member."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any) -> Sequence[Any]:
    """``value`` where it is a list, else an empty one."""
    return value if isinstance(value, list | tuple) else ()


def short(digest: str | None, *, length: int = 12) -> str:
    """``td1-sha256:4f1c…`` cut to ``length`` hex digits, for pictures; details always show all of it."""
    if not digest:
        return ""
    name, colon, value = digest.rpartition(":")
    return f"{name}{colon}{value[:length]}…" if len(value) > length else digest
