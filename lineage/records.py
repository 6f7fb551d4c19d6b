"""The reader of what was recorded: envelopes by id, subject, name or run, oldest first (of equal times by id)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Engine, Select, bindparam, select

from lineage.outbox import outbox, payload
from lineage.recorder import event_log, subject_index

_FEW = 5
"""rows that are fetched together where one is likely to do"""


@dataclass(frozen=True)
class StoredRecord:
    """One recorded act whose payload has not been erased."""

    id: str
    kind: str
    time: str
    actor: str
    envelope: bytes
    salt: bytes
    envelope_sha256: str
    commitment: str

    @cached_property
    def statement(self) -> dict[str, Any]:
        """The in-toto statement inside the envelope."""
        value: dict[str, Any] = json.loads(base64.b64decode(json.loads(self.envelope)["payload"], validate=True))
        return value

    @property
    def predicate(self) -> dict[str, Any]:
        """The statement's predicate."""
        value: dict[str, Any] = self.statement["predicate"]
        return value


class Records:
    """Reads what :class:`lineage.recorder.Recorder` wrote.

    :param check: raises where a record is not to be believed; ``audit.recorded.record_check`` is the real one. Without
        it the reader gives whatever stands in the database.
    """

    def __init__(self, engine: Engine, check: Callable[[StoredRecord], object] = lambda _record: None) -> None:
        self._engine, self._check = engine, check

    def by_id(self, id: str) -> StoredRecord | None:  # noqa: A002 - the record's own field name
        """The record of that id, or None."""
        return next(iter(self._read(_records().where(outbox.c.id == id))), None)

    def by_subject(self, algorithm: str, digest: str, kind: str | None = None) -> tuple[StoredRecord, ...]:
        """Records about the thing with that digest (lower-case hex)."""
        query = _by_subject().where(subject_index.c.algorithm == algorithm, subject_index.c.digest == digest)
        return self._read(_of_kind(query, kind))

    def by_subject_name(self, name: str, kind: str | None = None) -> tuple[StoredRecord, ...]:
        """Records about the thing of that name, such as ``endpoint:liver-risk``."""
        return self._read(_of_kind(_by_subject().where(subject_index.c.name == name), kind))

    def by_run(self, run: str) -> tuple[StoredRecord, ...]:
        """Records that carry an event of this OpenLineage run."""
        query = _records().join(event_log, event_log.c.outbox_id == outbox.c.id).where(event_log.c.run_id == run)
        return self._read(query)

    def newest_by_subject_name(self, name: str, kind: str) -> Iterator[StoredRecord]:
        """The same, the newest first, each read and checked when it is asked for."""
        wanted = {"name": name, "kind": kind}
        with self._engine.connect() as connection, connection.execute(_NEWEST_FIRST, wanted) as rows:
            for row in rows.yield_per(_FEW):
                record = StoredRecord(*row)
                self._check(record)
                yield record

    def all(self, kind: str | None = None) -> tuple[StoredRecord, ...]:
        """Every record (of a kind)."""
        return self._read(_of_kind(_records(), kind))

    def subject_names(self, prefix: str) -> tuple[str, ...]:
        """Names of subjects that begin with ``prefix``, sorted."""
        query = select(subject_index.c.name).where(subject_index.c.name.startswith(prefix, autoescape=True)).distinct()
        with self._engine.connect() as connection:
            names = {row.name for row in connection.execute(query)}
        return tuple(sorted(name for name in names if name.startswith(prefix)))  # SQLite's LIKE is blind to case

    def _read(self, query: Select[Any]) -> tuple[StoredRecord, ...]:
        with self._engine.connect() as connection:
            rows: Iterable[Any] = connection.execute(query.order_by(outbox.c.time, outbox.c.id)).all()
        found = tuple(dict.fromkeys(StoredRecord(*row) for row in rows))
        for record in found:
            self._check(record)
        return found


def _records() -> Select[Any]:
    columns = (outbox.c.id, outbox.c.kind, outbox.c.time, outbox.c.actor, payload.c.envelope, payload.c.salt)
    return select(*columns, outbox.c.envelope_sha256, outbox.c.commitment).join(
        payload, payload.c.outbox_id == outbox.c.id
    )


def _by_subject() -> Select[Any]:
    return _records().join(subject_index, subject_index.c.outbox_id == outbox.c.id)


_NEWEST_FIRST = (
    _by_subject()
    .where(subject_index.c.name == bindparam("name"), outbox.c.kind == bindparam("kind"))
    .order_by(outbox.c.time.desc(), outbox.c.id.desc())
)


def _of_kind(query: Select[Any], kind: str | None) -> Select[Any]:
    return query if kind is None else query.where(outbox.c.kind == kind)
