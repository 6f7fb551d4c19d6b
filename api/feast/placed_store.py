"""Feast's offline stores, told where files are: below the repository, whatever the working directory is.

Its ``duckdb`` store reads the path of a file source as it stands, below the working directory of the moment; its
``dask`` store takes ``file:///data`` for a name below the repository. What is recorded is the repository's file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from feast.data_source import DataSource
from feast.feature_view import FeatureView
from feast.infra.offline_stores.file_source import FileSource

from api.feast.sources import disk_place

T = TypeVar("T")


class PlacedOfflineStore:
    """An offline store that is given every source on disk by its absolute path.

    :param repo: what relative paths are below; absolute itself
    """

    def __init__(self, store: Any, repo: Path) -> None:
        self._store, self._repo = store, repo

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        return self._placing(value) if callable(value) else value

    def _placing(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        def placing(*arguments: Any, **options: Any) -> Any:
            return ask(
                *(placed(one, self._repo) for one in arguments),
                **{name: placed(one, self._repo) for name, one in options.items()},
            )

        return placing


def placed(given: Any, repo: Path) -> Any:
    """A source, a view, or each of a list, with absolute paths of local files; anything else as it is."""
    match given:
        case FileSource():
            return _placed_file(given, repo)
        case FeatureView(batch_source=DataSource() as source):
            return _with(given, batch_source=placed(source, repo))
        case list():
            return [placed(one, repo) for one in given]
    return given


def _placed_file(source: FileSource, repo: Path) -> FileSource:
    place = disk_place(source, repo)
    return source if place is None else _with(source, file_options=_with(source.file_options, uri=place))


def _with(whole: T, **parts: Any) -> T:
    """A copy with other parts. Feast's own copies of a view are made anew and lack what its constructor forgets."""
    made = object.__new__(type(whole))
    vars(made).update(vars(whole) | parts)
    return made
