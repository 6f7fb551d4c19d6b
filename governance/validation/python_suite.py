"""Suites as their users write them in Python: a file that makes one ``ExpectationSuite``.

    # expectations/liver_risk.py
    import great_expectations as gx

    suite = gx.ExpectationSuite(
        name="liver_risk",
        expectations=[gx.expectations.ExpectColumnValuesToNotBeNull(column="patient_id", severity="critical")],
    )

The file is run, as Feast runs the definitions beside it; it then counts as the JSON that Great Expectations would
export. Great Expectations itself gives an expectation without a severity the severity ``critical``.
"""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING, Any

from governance.validation.errors import SuiteError
from governance.validation.gx import import_quietly
from governance.validation.suite import Suite, parse_suite

if TYPE_CHECKING:
    from pathlib import Path


def read_python_suite(path: Path) -> Suite:
    """The one suite that the file makes. Raises SuiteError, and whatever the file itself raises."""
    if not path.is_file():
        raise SuiteError(f"{path}: there is no such file; expected one that makes an ExpectationSuite")
    import_quietly()
    from great_expectations import ExpectationSuite

    made = {id(one): one for one in runpy.run_path(str(path)).values() if isinstance(one, ExpectationSuite)}
    if len(made) != 1:
        raise SuiteError(f"{path}: makes {len(made)} suites; expected exactly one ExpectationSuite at its top level")
    return suite_of(next(iter(made.values())), origin=str(path))


def suite_of(suite: Any, *, origin: str) -> Suite:
    """A Great Expectations ``ExpectationSuite`` as ours; ``origin`` opens the error texts. Raises SuiteError."""
    return parse_suite(suite.to_json_dict(), origin=origin)
