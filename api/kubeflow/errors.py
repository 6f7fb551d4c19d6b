"""Errors of TrainJobs: each is ours (the command line knows what to do) and the one the SDK's documentation promises.

WrongQuestion
├── TrainJobInvalid    also ValueError
└── UnknownTrainJob    also ValueError
AnswerIsNo
├── TrainJobFailed     also RuntimeError
└── TrainJobTimeout    also TimeoutError
"""

from __future__ import annotations

from governance.errors import AnswerIsNo, WrongQuestion


class TrainJobInvalid(WrongQuestion, ValueError):
    """The job cannot be submitted as it was described."""


class UnknownTrainJob(WrongQuestion, ValueError):
    """No such job, runtime or step here."""


class TrainJobFailed(AnswerIsNo, RuntimeError):
    """The job failed while something else was waited for."""


class TrainJobTimeout(AnswerIsNo, TimeoutError):
    """The job did not get there in time."""
