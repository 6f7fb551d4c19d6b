"""Errors of model servers.

AnswerIsNo
├── ModelNotServable     the artifact is whole, but not something this server can serve
└── DeploymentRefused    a model server did not get ready, or is not what was asked for
"""

from __future__ import annotations

from governance.errors import AnswerIsNo


class ModelNotServable(AnswerIsNo):
    """The artifact holds no weights that this server can load."""


class DeploymentRefused(AnswerIsNo):
    """The model server refused to start, did not get ready, or loaded something else than was asked for."""
