"""The report's sentence on time says what was asked for, and no more than that."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from audit.report.words import summary

REPORTED = "measured and reported by that row's time, and no later ones."
MEASURED = "latest values measured by that row's time; when a value was reported was not asked."
RANGE = "It was drawn for a range of dates, not row by row as of a moment."

ROWS = {"spine": {"columns": ["patient_id"], "rows": 3}}
QUERY = {"spine": None, "query_sha256": "0" * 64}
DATES = {"spine": None, "options": {"start_date": "2026-01-01 00:00:00+00:00"}}
CREATED = {"options": {"filter_by_created_timestamp": "True"}}


def _said(sample: ModuleType, request: Any) -> str:
    acts = [sample.retrieval(request=request) if act.kind == "retrieval" else act for act in sample.statements()]
    return " ".join(sample.report(acts).summary)


@pytest.mark.parametrize(
    ("request_made", "sentence"),
    [
        (ROWS, MEASURED),
        ({**ROWS, **CREATED}, REPORTED),
        (QUERY, MEASURED),
        ({**QUERY, **CREATED}, REPORTED),
        (DATES, RANGE),
        ({"object": "saved_dataset:training", "options": {}}, "It was read back from rows that an earlier act wrote"),
    ],
    ids=["rows", "rows and created", "query", "query and created", "dates", "saved dataset"],
)
def test_a_value_s_moment_is_told_as_it_was_asked_for(sample: ModuleType, request_made: Any, sentence: str) -> None:
    said = _said(sample, request_made)
    assert sentence in said
    others = {MEASURED, REPORTED, RANGE} - {sentence}
    assert not any(other in said for other in others)


def test_without_a_request_on_record_no_moment_is_claimed(sample: ModuleType) -> None:
    report = sample.report()
    text = " ".join(summary(report.nodes, report.labels, (), ()))
    assert "No record says as of which moment its values are." in text


@pytest.mark.parametrize(
    ("requests", "sentences"),
    [
        ((ROWS, DATES), ("It was retrieved in several ways.", MEASURED, RANGE)),
        (({**ROWS, **CREATED}, ROWS), (MEASURED,)),
    ],
    ids=["rows and dates", "reported and not"],
)
def test_of_several_retrievals_each_kind_is_told_and_only_the_weaker_holds(
    sample: ModuleType, requests: Any, sentences: tuple[str, ...]
) -> None:
    report = sample.report()
    text = " ".join(summary(report.nodes, report.labels, (), requests))
    assert all(sentence in text for sentence in sentences)
    assert REPORTED not in text
