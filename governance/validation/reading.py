"""Under which names a suite sees the columns of a retrieval.

A suite speaks of features by their own names. A retrieval may call its columns otherwise (full feature names, aliases),
and may hold others of the same name: of another view, or of the entity rows. Each suite therefore gets the rows under
names of its own, once for each alias of its owner's views.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from governance.validation.one_pass import Rows
    from governance.validation.suite import Expectation, Suite

Feature = tuple[str, str]
"""(name of the view, name of the feature)"""
Output = tuple[str, str, str]
"""(name of the view, name of the feature, column of the retrieval)"""


@dataclass(frozen=True)
class Reading:
    """One way in which a suite reads a retrieval."""

    pairs: tuple[tuple[str, str], ...]
    """(column of the retrieval, what the suite calls it), in the order of the columns"""

    def rows(self, rows: Rows) -> Rows:
        """The same rows under the suite's names."""
        import pyarrow as pa

        return self._named(rows) if isinstance(rows, pa.Table) else lambda: self._batches(rows())

    def columns(self, expectation: Expectation) -> list[str]:
        """The retrieval's columns of which an expectation speaks; those that are not there are left out."""
        meant = {name: column for column, name in self.pairs}
        return [meant[name] for name in expectation.columns if name in meant]

    def _named(self, rows: Any) -> Any:
        names = [name for _, name in self.pairs]
        if rows.schema.names == names == [column for column, _ in self.pairs]:
            return rows
        return type(rows).from_arrays([rows.column(column) for column, _ in self.pairs], names=names)

    def _batches(self, rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
        import pyarrow as pa

        schema = self._named(rows.schema.empty_table()).schema
        return pa.RecordBatchReader.from_batches(schema, map(self._named, rows))


def readings(
    suite: Suite, features: AbstractSet[Feature], outputs: Iterable[Output], columns: Sequence[str]
) -> tuple[Reading, ...]:
    """Every way in which ``suite`` is to be held against a retrieval, at least one.

    :param features: those of the suite's owner. A name that two of its views share stands for neither.
    :param outputs: what was asked for
    :param columns: all that the retrieval has
    """
    spoken = frozenset(chain.from_iterable(one.columns for one in suite.expectations))
    views = [_aliases(view, names, outputs) for view, names in sorted(_unshared(features).items())]
    rounds = range(max(map(len, views), default=1))
    meant = [{column: name for ways in views for name, column in ways[at % len(ways)].items()} for at in rounds]
    return tuple(dict.fromkeys(Reading(tuple(_pairs(columns, one, spoken))) for one in meant))


def _unshared(features: AbstractSet[Feature]) -> dict[str, frozenset[str]]:
    """View → those of its features whose names no other view has."""
    times = Counter(name for _, name in features)
    views = {view for view, _ in features}
    return {view: frozenset(name for at, name in features if at == view and times[name] == 1) for view in views}


def _aliases(view: str, names: AbstractSet[str], outputs: Iterable[Output]) -> list[dict[str, str]]:
    """Feature → column, for each alias under which the view was asked for whole; else from all of them together."""
    found: dict[str, dict[str, str]] = {}
    for owner, name, column in outputs:
        if owner == view and name in names:
            found.setdefault(column.removesuffix(name), {})[name] = column
    whole = [way for way in found.values() if way.keys() == names]
    return whole or [dict(chain.from_iterable(way.items() for way in found.values()))]


def _pairs(columns: Iterable[str], meant: Mapping[str, str], spoken: AbstractSet[str]) -> Iterable[tuple[str, str]]:
    """A column that is no feature of the owner gives way to one that is; a suite may also say the full name."""
    plain = set(meant.values())
    for column in columns:
        name = meant.get(column)
        if name is not None:
            yield column, name
        if name != column and column not in plain and (name is None or column in spoken):
            yield column, column
