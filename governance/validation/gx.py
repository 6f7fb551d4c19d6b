"""What only Great Expectations can say of a table: the only module that imports it.

:func:`governance.validation.validate.validate` decides what that is. The context lives in memory, draws no progress
bars and reads no project files. Great Expectations 1.24 has no usage statistics left to turn off, and
``mode="ephemeral"`` never looks for its (closed) cloud.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from governance.validation.errors import SuiteError, ValidationCrashed
from governance.validation.result import ExpectationResult, reduced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from governance.validation.suite import Expectation

_RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}
"""Counts, but none of the offending values."""
_PLACE = "provender_place"
_EXCEPTION_NAME = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)")


def evaluate(table: pa.Table, expectations: Sequence[Expectation], *, suite: str) -> tuple[ExpectationResult, ...]:
    """One result for each expectation, in their order; ``suite`` names them in errors.

    Raises :class:`SuiteError` for an expectation that Great Expectations does not know or whose
    arguments it refuses, :class:`ValidationCrashed` where one cannot be evaluated on this table.
    """
    import_quietly()
    from great_expectations import ExpectationSuite

    asked = [_domain_object(expectation, suite, place) for place, expectation in enumerate(expectations)]
    answer = _batch(table).validate(ExpectationSuite(name=suite, expectations=asked), result_format=_RESULT_FORMAT)
    # the results come in another order than the suite's; each carries the place that was noted in its meta
    found = {result.expectation_config.meta[_PLACE]: result for result in answer.results}
    return tuple(_result(expectation, found[place]) for place, expectation in enumerate(expectations))


def import_quietly() -> None:
    """Import Great Expectations without the warning that Python 3.11 has for sre_parse and sre_constants."""
    with warnings.catch_warnings(), _main_module_of_a_file():
        warnings.filterwarnings("ignore", r"module 'sre_\w+' is deprecated", DeprecationWarning)
        import great_expectations  # noqa: F401


@contextmanager
def _main_module_of_a_file() -> Iterator[None]:
    """Within, ``__main__`` has a ``__file__``.

    Great Expectations imports PySpark where it is installed. PySpark takes a main module without a file (``python -c``,
    a test worker) for its own doctests, and ends the process with exit code 0 where its optional parts are missing.
    """
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):
        yield
        return
    main.__file__ = "<none>"
    try:
        yield
    finally:
        del main.__file__


def _domain_object(expectation: Expectation, suite: str, at: int) -> Any:
    from great_expectations.compatibility.pydantic import ValidationError
    from great_expectations.exceptions.exceptions import GreatExpectationsError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.expectations.metadata_types import FailureSeverity

    place = f"suite {suite!r}, {expectation.type}"
    configuration = ExpectationConfiguration(
        type=expectation.type,
        kwargs=expectation.kwargs,
        severity=FailureSeverity(expectation.severity.value),
        meta={_PLACE: at},
    )
    try:
        return configuration.to_domain_obj()
    except ValidationError as refused:
        reasons = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in refused.errors())
        raise SuiteError(f"{place}: Great Expectations refuses its arguments ({reasons})") from refused
    except (GreatExpectationsError, TypeError) as unknown:
        raise SuiteError(f"{place}: unknown to Great Expectations or not to be configured so ({unknown})") from unknown


def _batch(table: pa.Table) -> Any:
    import great_expectations
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("table")
    whole = asset.add_batch_definition_whole_dataframe("whole")
    return whole.get_batch(batch_parameters={"dataframe": table.to_pandas()})


def _result(expectation: Expectation, found: Any) -> ExpectationResult:
    crash = _exception(found.exception_info)
    if crash is not None:
        raise ValidationCrashed(
            f"{expectation.type} on {expectation.column or 'the table'} could not be evaluated ({crash}); "
            "check the column's type against the suite"
        )
    return reduced(expectation, success=bool(found.success), details=found.result)


def _exception(info: Mapping[str, Any]) -> str | None:
    """The class of the exception inside Great Expectations, if there was one.

    It reports one either directly or once for each metric that raised. Only the class is passed on:
    the message may quote a value.
    """
    reports = [info] if "raised_exception" in info else list(info.values())
    for report in reports:
        if report.get("raised_exception"):
            last = (report.get("exception_traceback") or "").strip().rsplit("\n", 1)[-1]
            name = _EXCEPTION_NAME.match(last)
            return name.group(1) if name else "an exception"
    return None
