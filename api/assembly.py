"""Where the parts are put together: one :class:`Provender` for one governed Feast repository."""

from __future__ import annotations

import os
import pwd
import socket
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from governance.errors import ConfigurationError
from lineage.repositories import remember

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from api.settings import Governance, Settings
    from audit.keys import Keys
    from audit.ledger import Ledger
    from governance.policy import Policy
    from lineage.objects import Objects
    from lineage.recorded_snapshots import RecordedSnapshots
    from lineage.recorder import Recorder
    from lineage.records import Records
    from lineage.snapshots import SnapshotStore

_OPENING = Lock()
_KEPT = 16
"""Repositories that one process keeps connected: a service that sees many must not run out of descriptors."""


@dataclass(frozen=True)
class Provender:
    """The parts of one governed repository, connected."""

    settings: Settings
    engine: Engine
    keys: Keys
    ledger: Ledger
    recorder: Recorder
    records: Records
    objects: Objects
    snapshots: SnapshotStore

    def policy(self) -> Policy:
        """The policy as it stands in its file now. Raises PolicyError."""
        from governance.policy_file import load_policy

        return load_policy(self.settings.policy)

    def recorded_snapshots(self) -> RecordedSnapshots:
        """The snapshots as the signed records speak of them."""
        from lineage.recorded_snapshots import RecordedSnapshots

        return RecordedSnapshots(self.snapshots, self.records)

    @property
    def directory(self) -> Path:
        """The directory of the object store, for what needs files. Raises ConfigurationError where it is S3."""
        from lineage.objects import DirectoryObjects

        if isinstance(self.objects, DirectoryObjects):
            return self.objects.root
        raise ConfigurationError(
            f"`governance: objects:` is {self.objects.location}. Expected a directory: model artifacts are files, and"
            " are not kept on S3 yet. Train and serve from a repository whose objects are in a directory."
        )


def assemble(settings: Settings, *, create: bool = True) -> Provender:
    """Open everything that ``settings`` name. Raises WrongQuestion where something cannot be opened.

    :param create: False for whoever only looks: keys, database and tables are there or it is refused, and the runs of
        processes that are gone stay as they are.
    """
    from audit.keys import Keys  # the verifier and --help never come here
    from audit.ledger import Ledger, check_database, check_tables
    from audit.recorded import record_check
    from audit.statement import StatementSeal
    from lineage.database import database_errors, open_database
    from lineage.objects import open_objects
    from lineage.recorder import Recorder
    from lineage.records import Records
    from lineage.snapshots import SnapshotStore
    from lineage.sources.s3 import S3Access

    access = S3Access(endpoint=settings.s3_endpoint)
    objects = open_objects(settings.objects, access=access, retention=settings.retention)
    if not create:
        check_database(settings.database)
    engine = open_database(settings.database)
    keys = Keys.open(settings.keys, environ=os.environ, create=create)
    ledger = Ledger(engine, keys, settings.origin, settings.checkpoints)
    recorder = Recorder(engine, StatementSeal(keys), after=ledger.sequence)
    snapshots = SnapshotStore(objects, min_rows=settings.governance.min_rows)
    records = Records(engine, record_check(keys.statement_public))
    parts = Provender(settings, engine, keys, ledger, recorder, records, objects, snapshots)
    with database_errors():
        if create:
            _prepare(parts)
        else:
            check_tables(engine)
    return parts


def _prepare(parts: Provender) -> None:
    """Make what is not there yet, and end the runs whose process is gone."""
    from audit.ledger import create_tables as create_ledger
    from lineage.aborts import close_abandoned
    from lineage.database import create_tables

    create_tables(parts.engine)
    create_ledger(parts.engine)
    parts.ledger.begin()
    actor, project = process_actor(), parts.settings.project
    close_abandoned(parts.engine, parts.records, parts.recorder, actor=actor, namespace=project)


def opened(repo: Path, file: str | None = None, *, create: bool = True) -> Provender:
    """The parts for ``repo`` with its configuration as it stands now; connections are kept open in this process.

    ``create`` is that of :func:`assemble`: False for commands that only read.
    """
    from api.settings import load_settings

    settings = load_settings(repo, file=file)
    with _OPENING:
        parts = _connected(
            settings.repo, settings.project, settings.governance, endpoint=settings.s3_endpoint, create=create
        )
    # Not the parts themselves: what is remembered for good would keep their connections open for good.
    remember(settings.repo, lambda: opened(repo, file, create=create).recorded_snapshots())
    return replace(parts, settings=settings)


def open_repository(repo: Path) -> RecordedSnapshots:
    """The recorded snapshots of ``repo``: the entry point of the group ``provender.repository``."""
    return opened(repo, create=False).recorded_snapshots()


@lru_cache(maxsize=_KEPT)
def _connected(repo: Path, project: str, governance: Governance, *, endpoint: str | None, create: bool) -> Provender:
    from api.settings import Settings

    return assemble(Settings(repo, project, {}, governance, s3_endpoint=endpoint), create=create)


def process_actor() -> str:
    """Who acts where no authentication says it: ``process:<user>@<host>``.

    By the process's user id: what ``LOGNAME`` or ``USER`` say is the caller's own claim.
    """
    return _process_of(os.getuid())


@cache
def _process_of(uid: int) -> str:
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return f"process:{user}@{socket.gethostname()}"
