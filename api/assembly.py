"""Where the parts are put together: one :class:`Provender` for one governed Feast repository."""

from __future__ import annotations

import os
import pwd
import socket
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from api.settings import Governance, Settings
    from audit.keys import Keys
    from audit.ledger import Ledger
    from governance.policy import Policy
    from lineage.objects import ObjectStore
    from lineage.recorder import Recorder
    from lineage.records import Records
    from lineage.snapshots import SnapshotStore

_OPENING = Lock()


@dataclass(frozen=True)
class Provender:
    """The parts of one governed repository, connected."""

    settings: Settings
    engine: Engine
    keys: Keys
    ledger: Ledger
    recorder: Recorder
    records: Records
    objects: ObjectStore
    snapshots: SnapshotStore

    def policy(self) -> Policy:
        """The policy as it stands in its file now. Raises PolicyError."""
        from governance.policy_file import load_policy

        return load_policy(self.settings.policy)


def assemble(settings: Settings) -> Provender:
    """Open everything that ``settings`` name. Raises WrongQuestion where something cannot be opened."""
    from audit.keys import Keys  # the verifier and --help never come here
    from audit.ledger import Ledger, create_tables
    from audit.statement import StatementSeal
    from lineage.aborts import close_abandoned
    from lineage.database import database_errors, metadata, open_database
    from lineage.objects import ObjectStore
    from lineage.recorder import Recorder
    from lineage.records import Records
    from lineage.snapshots import SnapshotStore

    objects = ObjectStore(settings.objects)
    engine = open_database(settings.database)
    keys = Keys.open(settings.keys, environ=os.environ)
    ledger = Ledger(engine, keys, settings.origin, settings.checkpoints)
    recorder = Recorder(engine, StatementSeal(keys), after=ledger.sequence)
    snapshots = SnapshotStore(objects, min_rows=settings.governance.min_rows)
    with database_errors():
        metadata.create_all(engine)
        create_tables(engine)
        close_abandoned(engine, recorder, actor=process_actor(), namespace=settings.project)
    return Provender(settings, engine, keys, ledger, recorder, Records(engine), objects, snapshots)


def opened(repo: Path, file: str | None = None) -> Provender:
    """The parts for ``repo`` with its configuration as it stands now; connections are opened once in this process."""
    from api.settings import load_settings

    settings = load_settings(repo, file=file)
    with _OPENING:
        return replace(_connected(settings.repo, settings.project, settings.governance), settings=settings)


@cache
def _connected(repo: Path, project: str, governance: Governance) -> Provender:
    from api.settings import Settings

    return assemble(Settings(repo, project, {}, governance))


def process_actor() -> str:
    """Who acts where no authentication says it: ``process:<user>@<host>``.

    By the process's user id: what ``LOGNAME`` or ``USER`` say is the caller's own claim.
    """
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return f"process:{user}@{socket.gethostname()}"
