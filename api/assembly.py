"""Where the parts are put together: one :class:`Provender` for one governed Feast repository."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from api.settings import Settings
    from audit.keys import Keys
    from audit.ledger import Ledger
    from governance.policy import Policy
    from lineage.objects import ObjectStore
    from lineage.recorder import Recorder
    from lineage.records import Records
    from lineage.snapshots import SnapshotStore


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
        from governance.policy_file import load_policy  # noqa: PLC0415

        return load_policy(self.settings.policy)


def assemble(settings: Settings) -> Provender:
    """Open everything that ``settings`` name. Raises WrongQuestion where something cannot be opened."""
    from audit.keys import Keys  # noqa: PLC0415 - the verifier and --help never come here
    from audit.ledger import Ledger, create_tables  # noqa: PLC0415
    from audit.statement import StatementSeal  # noqa: PLC0415
    from lineage.aborts import close_abandoned  # noqa: PLC0415
    from lineage.database import metadata, open_database  # noqa: PLC0415
    from lineage.objects import ObjectStore  # noqa: PLC0415
    from lineage.recorder import Recorder  # noqa: PLC0415
    from lineage.records import Records  # noqa: PLC0415
    from lineage.snapshots import SnapshotStore  # noqa: PLC0415

    keys = Keys.open(settings.keys)
    engine = open_database(settings.database)
    metadata.create_all(engine)
    create_tables(engine)
    ledger = Ledger(engine, keys, settings.origin, settings.checkpoints)
    recorder = Recorder(engine, StatementSeal(keys), after=ledger.sequence)
    objects = ObjectStore(settings.objects)
    snapshots = SnapshotStore(objects, min_rows=settings.governance.min_rows)
    parts = Provender(settings, engine, keys, ledger, recorder, Records(engine), objects, snapshots)
    close_abandoned(engine, recorder, actor=process_actor(), namespace=settings.project)
    return parts


@cache
def opened(repo: Path, file: str | None = None) -> Provender:
    """The parts for ``repo``, opened once in this process."""
    from api.settings import load_settings  # noqa: PLC0415

    return assemble(load_settings(repo, file=file))


def process_actor() -> str:
    """Who acts where no authentication says it: ``process:<user>@<host>``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"process:{user}@{socket.gethostname()}"
