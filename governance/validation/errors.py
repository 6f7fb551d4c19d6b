"""Errors of validation.

ConfigurationError
└── SuiteError           a suite is missing, malformed or asks for what Great Expectations does not know
AnswerIsNo
└── ValidationCrashed    an expectation could not be evaluated, so nobody knows whether it holds
"""

from __future__ import annotations

from governance.errors import AnswerIsNo, ConfigurationError


class SuiteError(ConfigurationError):
    """The suite cannot be used; names file or suite, and the expectation."""


class ValidationCrashed(AnswerIsNo):
    """An expectation raised instead of answering. Its text never quotes a value of the table."""
