"""Every error that Provender raises on purpose.

    ProvenderError
    ├── WrongQuestion            usage, configuration, unreachable store (the command line exits with 2)
    │   ├── ConfigurationError   the governance block, a file or a setting
    │   └── PolicyError          policy.yaml; names file and line
    └── AnswerIsNo               denied, failed verification, not reproducible (exits with 1)
        └── Denied               a verdict with at least one denying finding

``lineage.errors`` and ``audit.errors`` hang their own branches below ``WrongQuestion`` and
``AnswerIsNo``, so a door needs two names to translate all of them. A message says what was found,
what was expected and what to do next.
"""

from __future__ import annotations


class ProvenderError(Exception):
    """Base of all errors raised on purpose; its text is written for the person who reads it."""


class WrongQuestion(ProvenderError):
    """The question cannot be answered as it was asked."""


class ConfigurationError(WrongQuestion):
    """A file or setting is missing or malformed."""


class PolicyError(WrongQuestion):
    """The policy file is missing, malformed or contradicts itself."""


class AnswerIsNo(ProvenderError):
    """The question was well asked and the answer is no."""


class Denied(AnswerIsNo):
    """A verdict denies the act; ``str()`` lists object, rule, path and fix of each finding."""
