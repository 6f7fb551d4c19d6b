"""The predictor: the function that makes probabilities of weights and features.

It is named ``FILE.py:function`` and called as ``predict(weights, columns) -> list[float]``. What runs is the very
bytes that were hashed.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from governance.errors import ConfigurationError

Function = Callable[[Mapping[str, Any], Mapping[str, Sequence[Any]]], list[float]]

_MODULE = "provender_predictor"


@dataclass(frozen=True)
class PredictorSource:
    """A predictor's source, not yet run."""

    name: str
    """``FILE.py:function``, the file relative to the repository where it lies there, else its bare name"""
    path: Path
    function: str
    content: bytes

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the file's bytes."""
        return hashlib.sha256(self.content).hexdigest()

    def as_json(self) -> dict[str, str]:
        """Name and digest, for a record."""
        return {"name": self.name, "sha256": self.sha256}


@dataclass(frozen=True)
class Predictor:
    """A predictor that can be called."""

    source: PredictorSource
    function: Function

    def __call__(self, weights: Mapping[str, Any], columns: Mapping[str, Sequence[Any]], *, rows: int) -> list[float]:
        """One finite number for each row. Raises ValueError where the function gives anything else."""
        answer = [float(value) for value in self.function(weights, columns)]
        if len(answer) != rows or not all(math.isfinite(value) for value in answer):
            raise ValueError(
                f"The predictor {self.source.name} gave {len(answer)} numbers for {rows} rows, or one that is not"
                " finite. Expected one probability for each row."
            )
        return answer


def read_predictor(name: str, *, repo: Path) -> PredictorSource:
    """Read the file that ``FILE.py:function`` names, relative to the repository. Raises ConfigurationError."""
    file, colon, function = name.rpartition(":")
    if not colon or not file.endswith(".py") or not function.isidentifier():
        raise ConfigurationError(f"The predictor is {name!r}. Expected FILE.py:function.")
    path = (repo / file).resolve()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The predictor {path} cannot be read: {error.strerror}.") from error
    inside = path.relative_to(repo.resolve()).as_posix() if path.is_relative_to(repo.resolve()) else path.name
    return PredictorSource(f"{inside}:{function}", path, function, content)


def load_predictor(source: PredictorSource) -> Predictor:
    """Run the source as a module of its own. Raises ConfigurationError where it does not give the function."""
    try:
        code = compile(source.content, str(source.path), "exec")
    except (SyntaxError, ValueError) as error:
        raise ConfigurationError(f"The predictor {source.name} is not Python: {error}.") from error
    module = ModuleType(_MODULE)
    module.__file__ = str(source.path)
    sys.modules[_MODULE] = module  # dataclasses and the like look their module up
    exec(code, module.__dict__)  # noqa: S102 - the operator named this file, and its digest is recorded
    function = getattr(module, source.function, None)
    if not callable(function):
        raise ConfigurationError(f"The predictor {source.path} has no function {source.function!r}.")
    return Predictor(source, function)
