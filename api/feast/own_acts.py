"""Whether rows are read inside an act that has a verdict and a record.

Feast hands its stores to whoever asks for them, and its offline server builds a store of its own. So the stores
themselves ask here: within :func:`own_act` the provider answers for what is read, elsewhere nobody does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from api.feast.denial import NotOffered
from lineage.errors import RunEnded

_OWN: ContextVar[bool] = ContextVar("provender_own_act", default=False)


@contextmanager
def own_act() -> Iterator[None]:
    """Within, this task reads rows for an act of the provider."""
    token = _OWN.set(True)
    try:
        yield
    finally:
        _OWN.reset(token)


def refuse_outside_acts(way: str) -> None:
    """Raise NotOffered where no act of the provider asks for rows by ``way``."""
    if not _OWN.get():
        raise NotOffered(
            f"{way}: rows would leave or be written without a verdict and a record. Use get_historical_features(),"
            " materialize() or write_to_offline_store() of a FeatureStore over this repository. On-demand views are"
            " computed when they are read; materializing one that has write_to_online_store is not offered. For Feast's"
            " offline server set `offline_store: type: api.feast.GovernedOfflineStore`, with this store within."
        )


@contextmanager
def ending(fail: Callable[[BaseException], None]) -> Iterator[None]:
    """Within, an error ends the run by ``fail`` and goes on; a run that has ended already stays as it is recorded."""
    try:
        yield
    except BaseException as error:
        with suppress(RunEnded):  # its end was committed and the error came after it, or it never began
            fail(error)
        raise
