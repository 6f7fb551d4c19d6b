from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pyarrow as pa

from governance.canonical import canonical_json
from governance.validation.entry import entries
from governance.validation.reading import Reading
from governance.validation.suite import Suite, parse_suite
from governance.validation.validate import validate

TABLE = pa.table({"a__x": [1.0, 2.0], "who": ["Maria", "Karl"]})
READING = Reading((("a__x", "x"), ("who", "who")))


def _document(least: float) -> dict[str, Any]:
    kwargs = {"column": "x", "min_value": least, "strict_min": True}
    known = {"column": "who", "value_set": ["Maria", "Karl"]}
    return {
        "name": "a",
        "expectations": [
            {"type": "expect_column_values_to_be_between", "kwargs": kwargs, "severity": "critical"},
            {"type": "expect_column_values_to_be_in_set", "kwargs": known, "severity": "info"},
        ],
    }


def _entries(suite: Suite) -> list[dict[str, Any]]:
    return entries(suite, READING, validate(READING.rows(TABLE), suite))


def test_an_entry_says_against_what_the_rows_were_held() -> None:
    lenient, strict = (_entries(parse_suite(_document(least), origin="test")) for least in (0, 100))
    assert [one[0]["success"] for one in (lenient, strict)] == [True, False]
    assert lenient[0]["suite"] == "a"
    assert lenient[0]["suite_sha256"] == sha256(canonical_json(_document(0))).hexdigest()
    assert lenient[0]["suite_sha256"] != strict[0]["suite_sha256"]
    assert lenient[0]["arguments"] == {"column": "x", "min_value": 0, "strict_min": True}
    assert strict[0]["arguments"]["min_value"] == 100
    assert lenient[0]["columns"] == ["a__x"]


def test_an_argument_that_may_quote_values_stands_as_its_digest() -> None:
    _, known = _entries(parse_suite(_document(0), origin="test"))
    digest = sha256(canonical_json(["Maria", "Karl"])).hexdigest()
    assert known["arguments"] == {"column": "who", "value_set": {"sha256": digest}}
    assert "Maria" not in json.dumps(known)


def test_the_digest_of_a_suite_is_of_what_decides_and_nothing_else() -> None:
    document = _document(0)
    noted = {**document, "notes": "x", "expectations": [{**one, "meta": {}} for one in document["expectations"]]}
    assert parse_suite(noted, origin="b").sha256 == parse_suite(document, origin="a").sha256
    milder = {**document, "expectations": [{**one, "severity": "info"} for one in document["expectations"]]}
    assert parse_suite(milder, origin="a").sha256 != parse_suite(document, origin="a").sha256
