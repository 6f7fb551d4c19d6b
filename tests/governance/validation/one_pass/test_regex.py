from __future__ import annotations

import re

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.validation.one_pass.regex import is_plain, needs_ascii, re2

ALPHABET = st.sampled_from("ab1_.- \n$Äé٣")
PIECES = st.sampled_from(
    ["a", "b", "1", ".", r"\d", r"\w", "[ab]", "[^a]", "[a-b1]", r"[\w-]", r"\.", r"\$", r"\\", "(a|b1)", "(?:a.)", " "]
)
REPEATS = st.sampled_from(["", "", "*", "+", "?", "{2}", "{0,1}", "{1,}"])
PATTERNS = st.builds(
    lambda begin, pieces, end: begin + "".join(pieces) + end,
    st.sampled_from(["", "^"]),
    st.lists(st.builds("".join, st.tuples(PIECES, REPEATS)), max_size=4),
    st.sampled_from(["", "$"]),
)


@given(PATTERNS, st.text(ALPHABET, max_size=6))
def test_a_plain_pattern_finds_the_same_texts_in_both_engines(pattern: str, text: str) -> None:
    if not is_plain(pattern) or (needs_ascii(pattern) and not text.isascii()):
        return
    found = duckdb.execute("SELECT regexp_matches(?, ?)", [text, re2(pattern)]).fetchall()
    assert found == [(re.search(pattern, text) is not None,)]


@pytest.mark.parametrize("pattern", [r"^[A-Z]{2}\d{4}$", r"^[\w.]+@[\w-]+\.[a-z]{2,}$", "^(f|m)$", r"^\$", "^$"])
def test_what_suites_usually_ask_is_plain(pattern: str) -> None:
    assert is_plain(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "(?i)a", r"\s", r"\bword", "a(?=b)", "(?P<name>a)", r"(a)\1", "a*?", "a++", "[[:alpha:]]", "[a&&b]"),
        *("((a)b)", "a|b", "^^a", "a$b", r"\Aa", r"a\Z", "é", "[z-a]", "a{3,2}", "a{9999}", "a" * 201),
    ],
)
def test_what_the_engines_may_understand_differently_is_left_to_python(pattern: str) -> None:
    assert not is_plain(pattern)


@pytest.mark.parametrize(
    ("pattern", "needs"), [(r"\d", True), (r"a\\d", False), (r"a\\\w", True), ("d", False), (r"[\w]", True)]
)
def test_only_the_classes_need_ascii(pattern: str, *, needs: bool) -> None:
    assert needs_ascii(pattern) is needs
