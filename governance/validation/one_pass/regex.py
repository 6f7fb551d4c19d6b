r"""Which regular expressions mean the same in Python's ``re`` and in RE2, which DuckDB uses.

A conservative test by the text of the pattern. Plain are letters, digits and a few signs, the dot, escaped
punctuation, ``\d`` and ``\w``, sets of those without anything clever, and groups of such pieces side by side or as
alternatives, but no groups within groups; each may have one greedy repetition. ``^`` may stand at the beginning and
``$`` at the end. There are no other escapes, flags or assertions: they differ (``\s``, ``\b``) or exist in one only.
Of a text that is not ASCII ``\d`` and ``\w`` mean more in Python than in RE2.

RE2's syntax: https://github.com/google/re2/wiki/Syntax. Python's: https://docs.python.org/3/library/re.html.
"""

from __future__ import annotations

import re
from typing import Final

_LITERAL: Final = r"[A-Za-z0-9 _,:;@#%&=<>~'\"/!-]"
_ESCAPED: Final = r"\\[.\-+*?()\[\]{}^$|/\\]"
_CLASS: Final = r"\\[dw]"
_MEMBER: Final = rf"(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9 _,:;@#%=.+*/()'!]|{_ESCAPED}|{_CLASS})"
_SET: Final = rf"\[\^?{_MEMBER}+-?\]"
_PIECE: Final = rf"(?:{_LITERAL}|\.|{_ESCAPED}|{_CLASS}|{_SET})(?:[*+?]|\{{\d{{1,3}}(?:,\d{{0,3}})?\}})?"
_GROUP: Final = rf"\((?:\?:)?(?:{_PIECE})+(?:\|(?:{_PIECE})+)*\)[*+?]?"
_PLAIN: Final = re.compile(rf"\^?(?:{_PIECE}|{_GROUP})*\$?", re.ASCII)
_CLASSES: Final = re.compile(r"(?:[^\\]|\\[^dw])*\\[dw]", re.ASCII)


def is_plain(pattern: str) -> bool:
    """Whether both engines find the same texts by it."""
    if not 0 < len(pattern) <= 200 or not _PLAIN.fullmatch(pattern):
        return False
    try:
        re.compile(pattern)
    except re.error:  # what Python refuses, such as a range the wrong way round, Great Expectations shall refuse
        return False
    return True


def needs_ascii(pattern: str) -> bool:
    """Whether that holds for texts of ASCII characters only."""
    return _CLASSES.match(pattern) is not None


def re2(pattern: str) -> str:
    r"""The pattern for RE2: Python's ``$`` also stands before a newline at the very end.

    >>> re2("^a$"), re2(r"\$")
    ('^a\\n?\\z', '\\$')
    """
    ends = pattern.endswith("$") and _PLAIN.fullmatch(pattern[:-1]) is not None
    return rf"{pattern[:-1]}\n?\z" if ends else pattern
