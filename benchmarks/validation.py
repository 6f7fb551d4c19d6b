"""Validation here beside Great Expectations on pandas, in one run: ``python benchmarks/validation.py [--rows N]``.

Both get the same Arrow table and the same suite, and their results must agree. For Great Expectations the clock also
runs while the table becomes a data frame, as it must for every retrieval, but neither for its import nor for
making its context, which it is first warmed up for. Runs alternate; the median of each is shown.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1]))

from governance.validation.gx import evaluate
from governance.validation.result import ExpectationResult
from governance.validation.suite import Suite, parse_suite, read_suite
from governance.validation.validate import validate

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Figure:
    """Median seconds of both for one suite."""

    name: str
    expectations: int
    ours: float
    theirs: float

    def row(self) -> str:
        """The figure as a line of the table."""
        ratio = self.theirs / self.ours
        return f"{self.name:<34}{self.expectations:>5}{self.ours:>10.2f}{self.theirs:>10.2f}{ratio:>9.1f}x"


def patients(rows: int) -> pa.Table:
    """What a retrieval of the demonstration's service gives: ten columns."""
    draw = np.random.default_rng(7)
    numbers = {
        "bilirubin_mg_dl": (0.1, 30.0),
        "albumin_g_dl": (1.5, 5.5),
        "platelets_per_nl": (20.0, 800.0),
        "prothrombin_time_s": (9.0, 18.0),
        "age_at_enrolment_years": (19.0, 90.0),
        "albi": (-5.0, 1.0),
    }
    columns: dict[str, Any] = {name: draw.uniform(low, high, rows) for name, (low, high) in numbers.items()}
    times = draw.integers(1_600_000_000_000_000, 1_700_000_000_000_000, rows)
    return pa.table(
        {
            "patient_id": pa.array([f"patient-{number:08}" for number in range(rows)]),
            "event_timestamp": pa.array(times, pa.timestamp("us", tz="UTC")),
            **columns,
            "platelets_per_nl": pa.array(columns["platelets_per_nl"], mask=draw.random(rows) < 0.05),
            "histologic_stage": draw.integers(1, 5, rows),
            "sex": pa.array(np.array(["f", "m"])[draw.integers(0, 2, rows)]),
        }
    )


def suites() -> Iterator[tuple[str, Suite]]:
    """The example's suite, and a wider one."""
    yield "feature_repo/expectations", read_suite(ROOT / "feature_repo" / "expectations" / "liver_risk.json")
    numbers = ("bilirubin_mg_dl", "albumin_g_dl", "platelets_per_nl", "prothrombin_time_s", "albi")
    wide = [
        *(("column_mean_to_be_between", {"column": name, "min_value": -1e3, "max_value": 1e3}) for name in numbers),
        *(("column_stdev_to_be_between", {"column": name, "max_value": 1e3}) for name in numbers),
        *(("column_min_to_be_between", {"column": name, "min_value": -10}) for name in numbers),
        *(("column_max_to_be_between", {"column": name, "max_value": 1e3}) for name in numbers),
        *(("column_values_to_not_be_null", {"column": name, "mostly": 0.9}) for name in numbers),
        ("column_values_to_be_unique", {"column": "patient_id"}),
        ("column_values_to_match_regex", {"column": "patient_id", "regex": r"^patient-\d{8}$"}),
        ("column_value_lengths_to_equal", {"column": "patient_id", "value": 16}),
        ("column_median_to_be_between", {"column": "albi", "min_value": -5, "max_value": 0}),
        ("column_unique_value_count_to_be_between", {"column": "histologic_stage", "min_value": 2, "max_value": 4}),
        ("column_distinct_values_to_equal_set", {"column": "sex", "value_set": ["f", "m"]}),
        ("column_pair_values_a_to_be_greater_than_b", {"column_A": "platelets_per_nl", "column_B": "albumin_g_dl"}),
        ("table_row_count_to_be_between", {"min_value": 1}),
    ]
    listed = [{"type": f"expect_{kind}", "kwargs": kwargs, "severity": "warning"} for kind, kwargs in wide]
    yield "wide", parse_suite({"name": "wide", "expectations": listed}, origin="benchmark")


def timed(work: Callable[[], tuple[ExpectationResult, ...]]) -> tuple[float, list[bool]]:
    """How long ``work`` takes once, and what it found."""
    start = time.perf_counter()
    results = work()
    return time.perf_counter() - start, [result.success for result in results]


def measured(name: str, suite: Suite, table: pa.Table, repeats: int) -> Figure:
    """Runs both side by side, ``repeats`` times. Raises SystemExit where they disagree."""
    ours, theirs = [], []
    for _ in range(repeats):
        seconds, found = timed(lambda: validate(table, suite))
        ours.append(seconds)
        seconds, expected = timed(lambda: evaluate(table, suite.expectations, suite=suite.name))
        theirs.append(seconds)
        if found != expected:
            raise SystemExit(f"{name}: the two disagree")
    return Figure(name, len(suite.expectations), statistics.median(ours), statistics.median(theirs))


def main() -> None:
    """Prints one line for each suite."""
    options = argparse.ArgumentParser(description="validation beside Great Expectations on pandas")
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--repeats", type=int, default=3)
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    small, table = patients(100), patients(chosen.rows)
    print(f"{chosen.rows:,} rows x {table.num_columns} columns; seconds; ratio = Great Expectations / here")
    print(f"{'suite':<34}{'exp.':>5}{'here':>10}{'GX':>10}{'ratio':>10}")
    for name, suite in suites():
        measured(name, suite, small, 1)  # imports, connections, first compilations
        print(measured(name, suite, table, chosen.repeats).row(), flush=True)


if __name__ == "__main__":
    main()
