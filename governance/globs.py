"""The patterns of a policy: ``*`` stops at ``/``, ``**`` does not, everything else is itself."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def glob(pattern: str) -> re.Pattern[str]:
    """The regular expression that matches what ``pattern`` matches; use it with ``fullmatch``."""
    parts = re.split(r"(\*\*|\*)", pattern)
    meaning = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(meaning.get(part, re.escape(part)) for part in parts), re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of ``text`` matches ``pattern``; upper and lower case differ."""
    return glob(pattern).fullmatch(text) is not None
