"""``provender``: the SQLAlchemy plugin that governs Feast's SQL registry.

    registry:
      registry_type: sql
      path: postgresql+psycopg://host/database
      sqlalchemy_config_kwargs: {plugins: [provender], provender_config: feature_store.yaml}

Feast writes each object in a transaction of its own. Before one commits, the plugin reads the registry as it was and as
it would be, and decides on the difference: a denial is raised there, and the transaction is rolled back. Whatever ran
in it, Feast's own statements, another program's, or plain SQL.

One transaction at a time decides: SQLite lets one write anyway, PostgreSQL is asked for a lock that ends with the
transaction. Other databases were not tried and are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NoReturn

from feast import FeatureStore
from feast.repo_config import RegistryConfig
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.engine import CreateEnginePlugin, make_url

from api.assembly import Provender, opened
from api.feast.denial import FeastRefused, NotOffered, told_to_feast
from api.feast.gate import ApplyGate
from api.feast.governed import parts_of
from api.feast.governed_provider_only import refuse_ungoverned_provider
from api.feast.opener import opener
from api.feast.sql.gate import SqlGate
from api.feast.sql.rows import (
    CONFIGURATION,
    engine_options,
    leave_transactions_to_us,
    lock,
    raw,
    registry_of,
)
from governance.errors import ConfigurationError
from lineage.database import database_url


class SqlRegistryPlugin(CreateEnginePlugin):
    """Governs the one engine that it is named for."""

    def __init__(self, url: URL, kwargs: dict[str, Any]) -> None:
        named = kwargs.pop(CONFIGURATION, None)
        with told_to_feast():
            store = opener(_opens(url, named))
            refuse_ungoverned_provider(store)
            self._parts = _parts(store, named)
            self._gate = SqlGate(ApplyGate(self._parts))

    def update_url(self, url: URL) -> URL:
        """The same database from every working directory: a relative SQLite file is below the repository."""
        url = url.difference_update_query(["plugin"])
        with told_to_feast():
            settings = self._parts.settings
            placed = make_url(database_url(url.render_as_string(hide_password=False), base=settings.repo))
            if placed.get_backend_name() == "sqlite" and placed.set(query={}) == make_url(settings.database):
                raise ConfigurationError(
                    "The registry and `governance: database:` are the same SQLite file, which lets one transaction"
                    " write at a time: no decision could be recorded while the registry waits for it. Give the"
                    " registry a file of its own."
                )
        return placed

    def engine_created(self, engine: Engine) -> None:
        """Watch its statements and its commits."""
        if engine.dialect.name not in ("sqlite", "postgresql"):
            with told_to_feast():
                raise NotOffered(
                    f"A governed SQL registry is in SQLite or PostgreSQL; {engine.dialect.name} was not tried."
                )
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", leave_transactions_to_us)
            event.listen(engine, "before_cursor_execute", _begin)
        event.listen(engine, "before_cursor_execute", _refuse_to_end)
        event.listen(engine, "commit", self._decide)
        event.listen(engine, "prepare_twophase", _refuse_two_phases)

    def _decide(self, connection: Connection) -> None:
        with told_to_feast():
            if not _wrote(connection):
                return
            _require_others_are_seen(connection)
            lock(connection)
            after = registry_of(connection)
            with connection.engine.connect() as other:
                if raw(other) is raw(connection):
                    raise ConfigurationError(
                        "The registry's engine has one connection only, as SQLite in memory has, so nobody can look at"
                        " what is committed beside what is about to be. Name a file or a server, and no `poolclass`."
                    )
                before = registry_of(other)
            self._gate.commit(before, after)


def _opens(url: URL, named: object) -> Any:
    def opens(config: RegistryConfig) -> bool:
        return (
            config.registry_type == "sql"
            and engine_options(config).get(CONFIGURATION) == named
            and url in (make_url(path) for path in (config.path, getattr(config, "read_path", None)) if path)
        )

    return opens


def _parts(store: FeatureStore | None, named: object) -> Provender:
    """The parts of the repository that is opened; of the one that holds the file ``named`` where none is.

    Raises WrongQuestion.
    """
    if store is not None:
        return parts_of(store.config)
    if not isinstance(named, str) or not Path(named).is_absolute():
        raise ConfigurationError(
            f"`{CONFIGURATION}:` is {named!r}, and no FeatureStore opens this engine. Expected the absolute path of the"
            " file that holds the governance block: nothing is looked for in the working directory."
        )
    return opened(Path(named).parent, named)


def _wrote(connection: Connection) -> bool:
    """Whether the transaction wrote anything."""
    if connection.dialect.name == "sqlite":
        return bool(raw(connection).in_transaction)  # begun before the first statement that may write
    return connection.exec_driver_sql("SELECT txid_current_if_assigned()").scalar() is not None


def _begin(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
    """Begin a transaction before the first statement that may write; whoever only reads locks nobody out."""
    if not raw(connection).in_transaction and _first_word(statement) not in ("SELECT", "PRAGMA"):
        raw(connection).execute("BEGIN IMMEDIATE")


def _refuse_to_end(
    connection: Connection, _cursor: object, statement: str, _parameters: object, context: Any, _many: object
) -> None:
    """Refuse what would be committed without being decided on."""
    if connection.dialect.name != "sqlite" and connection.dialect.detect_autocommit_setting(raw(connection)):
        with told_to_feast():
            raise FeastRefused(
                "The governed registry was about to be used without a transaction (AUTOCOMMIT), where nothing could be"
                " decided before it is done. Leave `isolation_level` out of `sqlalchemy_config_kwargs`."
            )
    if context.compiled is None and any(_first_word(one) in _ENDS for one in statement.split(";")):
        with told_to_feast():
            raise FeastRefused(
                "A transaction of the governed registry was about to be ended by a statement, past the decision on it."
                " Use commit() of the SQLAlchemy connection."
            )


_ENDS: Final = ("COMMIT", "END", "PREPARE")


def _first_word(statement: str) -> str:
    return next(iter(statement.split(maxsplit=1)), "").upper()


def _require_others_are_seen(connection: Connection) -> None:
    if connection.dialect.name == "postgresql" and connection.get_isolation_level() != "READ COMMITTED":
        raise ConfigurationError(
            f"The registry's transactions run at {connection.get_isolation_level()}, where one does not see what"
            " another committed meanwhile. Expected READ COMMITTED, PostgreSQL's default: leave `isolation_level` out"
            " of `sqlalchemy_config_kwargs`."
        )


def _refuse_two_phases(*_: object) -> NoReturn:
    with told_to_feast():
        raise NotOffered("A governed SQL registry commits in one phase; two-phase commit is not offered.")
    raise AssertionError  # told_to_feast never swallows
