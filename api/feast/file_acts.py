"""Writes of a provider to files: into sources, logs, saved datasets and exports, each decided and recorded."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from feast.feature_service import FeatureService
from feast.feature_view import FeatureView
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.stream_feature_view import StreamFeatureView

from api.feast.caller import current_caller
from api.feast.denial import NotOffered
from api.feast.judging import Judging, Places
from api.feast.offline_files import (
    Staging,
    append_logs,
    append_to_source,
    logged_rows,
    place_written,
    places_touched,
    places_written,
    refuse_existing,
    save,
    state_written,
)
from api.feast.own_files import refuse_own_files, refuse_sources, sources_of
from api.feast.recorded_write import RecordedWrite
from api.feast.retrieval import Retrieval
from governance.assets import Input
from governance.decide import ONLINE_STORE
from lineage.sources.digests import FileKey


@dataclass(frozen=True)
class FileActs:
    """The ways in which a provider writes files."""

    judging: Judging
    digests: MutableMapping[FileKey, str]

    def append_batch(self, view: FeatureView, rows: pa.Table) -> None:
        """Add ``rows`` to the files behind ``view``. Raises Denied, NotOffered, SourceUnreadable, LossyCast."""
        kind = "stream_feature_view" if isinstance(view, StreamFeatureView) else "feature_view"
        source = view.batch_source
        self._append(
            "offline_write_batch", f"{kind}:{view.name}", source, lambda: append_to_source(rows, source, self._repo)
        )

    def append_logs(self, service: FeatureService, logs: pa.Table | Path) -> None:
        """Add served values to the log files of ``service``. Raises as :meth:`append_batch`."""
        if service.logging_config is None:
            raise NotOffered(f"The feature service {service.name} has no logging_config. Give it one that names files.")
        place, rows = service.logging_config.destination, logged_rows(logs)
        definitions, touched = self.judging.definitions_now(), places_touched(place, self._repo)
        # logs may be queried as a data source; rows of features they do not become
        refuse_sources(touched, definitions, besides=sources_of(place_written(place, self._repo), definitions))
        self._append(
            "write_logged_features",
            f"feature_service:{service.name}",
            place,
            lambda: append_logs(rows, place, self._repo),
        )

    def copy(self, rows: pa.Table, retrieval: Retrieval, storage: SavedDatasetFileStorage, *, overwrite: bool) -> None:
        """Write the rows of a retrieval as a saved dataset.

        Raises Denied, NotOffered, SourceUnreadable, and Feast's SavedDatasetLocationAlreadyExists.
        """
        self.refuse_own(storage)
        refuse_existing(storage, self._repo, allow_overwrite=overwrite)
        refuse_sources(places_touched(storage, self._repo), retrieval.definitions)

        def write() -> pa.Table:
            save(rows, storage, self._repo, allow_overwrite=overwrite)
            return rows

        self._copied("persist", retrieval, storage, write)

    def export(self, rows: pa.Table, retrieval: Retrieval, staging: Staging) -> list[str]:
        """Write the rows of a retrieval below the staging location; gives URIs. Raises Denied, SourceUnreadable."""
        self.refuse_own(staging.source)
        refuse_sources(places_touched(staging.source, self._repo), retrieval.definitions)
        files: list[str] = []

        def write() -> pa.Table:
            files.extend(staging.export(rows))
            return rows

        self._copied("to_remote_storage", retrieval, staging.source, write)
        return files

    def refuse_own(self, thing: Any) -> None:
        """Raise NotOffered where ``thing`` lies in what governs this repository; nothing is decided then."""
        refuse_own_files(places_touched(thing, self._repo), self.judging.parts.settings, self.judging.config)

    def _append(self, way: str, named: str, thing: Any, write: Callable[[], pa.Table]) -> None:
        self.refuse_own(thing)
        definitions, purpose = self.judging.definitions_now(), self.judging.purpose()
        place = place_written(thing, self._repo)
        verdict = self.judging.verdict(
            definitions, "materialize", [Input(named)], purpose, places=self._places(places_written(thing, self._repo))
        )
        act = RecordedWrite(self.judging.parts, way, named, place, definitions, verdict, purpose, current_caller())
        act.to_files(write, lambda: state_written(thing, self._repo, self.digests))

    def _copied(self, way: str, retrieval: Retrieval, thing: Any, write: Callable[[], pa.Table]) -> None:
        definitions, request = retrieval.definitions, retrieval.request
        place, named = place_written(thing, self._repo), f"snapshot:{retrieval.run}"
        verdict = self.judging.verdict(
            definitions,
            "retrieve",
            request.inputs(definitions),
            request.purpose,
            places=self._places(places_written(thing, self._repo)),
        )
        act = RecordedWrite(
            self.judging.parts, way, named, place, definitions, verdict, request.purpose, current_caller()
        )
        act.to_files(write, lambda: state_written(thing, self._repo, self.digests))

    def _places(self, written: tuple[str, ...]) -> Places:
        """Where the rows flow: not online, but to the repository's own places and where they are written."""
        own = {role: uris for role, uris in self.judging.places().items() if role != ONLINE_STORE}
        return {**own, "files": written}

    @property
    def _repo(self) -> Path:
        return self.judging.parts.settings.repo
