"""Each supported expectation through DuckDB and through Great Expectations: the results are the same."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from governance.canonical import Json
from governance.validation.gx import evaluate
from governance.validation.one_pass import SUPPORTED, Engine
from governance.validation.result import ExpectationResult
from governance.validation.suite import Suite, parse_suite
from governance.validation.validate import checks_of, measured_results
from tests.governance.validation.one_pass.cases import cases
from tests.governance.validation.one_pass.tables import SCHEMA, TABLES, tables

pytestmark = [
    pytest.mark.slow,
    # pandas would have a pattern with a group written otherwise
    pytest.mark.filterwarnings("ignore:This pattern is interpreted as a regular expression, and has match groups"),
    # users still write it
    pytest.mark.filterwarnings("ignore:The condition_parser parameter is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Passing a string to the row_condition:DeprecationWarning"),
    # numpy says of infinities that their difference is no number
    pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered:RuntimeWarning"),
]


def _suite() -> Suite:
    listed = [{"type": kind, "kwargs": arguments, "severity": "info"} for kind, arguments in cases()]
    return parse_suite({"name": "parity", "expectations": listed}, origin="parity")


SUITE = _suite()


def test_every_supported_expectation_is_compared() -> None:
    assert {one.type for one in SUITE.expectations} == SUPPORTED
    assert all(checks_of(SUITE.expectations, SCHEMA))


@pytest.mark.parametrize("name", sorted(TABLES))
def test_both_ways_give_the_same_results(name: str) -> None:
    _compare(TABLES[name], decided=0.8)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(tables())
def test_both_ways_give_the_same_results_for_any_table(table: pa.Table) -> None:
    _compare(table, decided=0.6)


def _compare(table: pa.Table, *, decided: float) -> None:
    ours: Sequence[ExpectationResult | None] = measured_results(
        table, SUITE.expectations, checks_of(SUITE.expectations, SCHEMA), Engine()
    )
    theirs = evaluate(table, SUITE.expectations, suite=SUITE.name)
    assert sum(one is not None for one in ours) >= decided * len(theirs), "most is decided without asking"
    for expectation, one, other in zip(SUITE.expectations, ours, theirs, strict=True):
        if one is not None:
            told = (expectation.type, expectation.arguments)
            assert (told, one.success, one.unexpected_count) == (told, other.success, other.unexpected_count)
            assert _near(one.observed, other.observed), (told, one.observed, other.observed)


def _near(one: Json, other: Json) -> bool:
    """Equal; of sums of doubles the last digits may differ, and pandas has 32-bit ones in 32 bits."""
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=1e-6, abs=1e-12)
    return bool(one == other and type(one) is type(other))
