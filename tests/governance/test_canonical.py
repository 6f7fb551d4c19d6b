from __future__ import annotations

from enum import StrEnum

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from governance.canonical import Json, canonical_json

TEXTS = st.text(max_size=5) | st.sampled_from(["\x7f", "\u2028", '"\\/\b\f\n\r\t\x00\x1f', "\U0001f600", "\ue000", "é"])
NUMBERS = (
    st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.0, -0.0, 1.0, 1e-4, 9.9e-5, 1e-7, 1e15, 1.5e15, 1e16, 1e21, 5e-324, 0.1, 333333333.33333329])
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
@example({"\ue000": 1, "\U0001f600": 2})
@example({"b": [1.5, 0.0001], "a": {"z": 1e15, "y": -(2**53) + 1}})
def test_the_bytes_are_those_of_rfc_8785(value: Json) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


class _Word(StrEnum):
    YES = "yes"


def test_values_of_classes_made_from_plain_ones_are_written_as_those() -> None:
    assert canonical_json({"a": _Word.YES}) == b'{"a":"yes"}'


@pytest.mark.parametrize(
    "value",
    ["\ud800", {"a": "\udfff"}, 2**53, float("nan"), float("inf"), {1: 2}, {"a": {1, 2}}, b"bytes"],
    ids=["surrogate", "in a value", "large", "nan", "infinite", "number as name", "set", "bytes"],
)
def test_what_has_no_canonical_form_is_refused(value: Json) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical_json(value)
