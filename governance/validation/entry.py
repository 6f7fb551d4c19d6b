"""What a record keeps of each expectation: what was asked, of which suite, and what came of it.

The suite itself lies in a file of the repository that anyone may change: without its digest and the arguments, a
record would not say against what the rows were held. Arguments that may quote values of the data stand as digests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from governance.canonical import Json, json_sha256

if TYPE_CHECKING:
    from governance.validation.reading import Reading
    from governance.validation.result import ExpectationResult
    from governance.validation.suite import Expectation, Suite

_NAMES: Final = frozenset({"column", "column_A", "column_B", "column_list", "column_set", "ignore_row_if"})
"""Arguments that are names: of columns, or of a rule of Great Expectations."""


def entries(suite: Suite, reading: Reading, results: Iterable[ExpectationResult]) -> list[dict[str, Json]]:
    """The entries of a record's ``validation`` for one reading of the rows by ``suite``, in its order."""
    return [
        {
            **result.as_json(),
            "suite": suite.name,
            "suite_sha256": suite.sha256,
            "arguments": dict(_arguments(expectation)),
            "columns": reading.columns(expectation),
        }
        for expectation, result in zip(suite.expectations, results, strict=True)
    ]


@lru_cache(maxsize=1024)
def _arguments(expectation: Expectation) -> Mapping[str, Json]:
    """Each argument: a name, a number, a boolean or null as it is, anything else as ``{"sha256": ...}``."""
    return MappingProxyType({name: _told(name, value) for name, value in expectation.kwargs.items()})


def _told(name: str, value: Json) -> Json:
    if name in _NAMES or value is None or isinstance(value, bool | int | float):
        return value
    return {"sha256": json_sha256(value)}
