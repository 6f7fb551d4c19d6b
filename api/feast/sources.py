"""What stands behind Feast's data sources, opened in one state for one act of the provider.

Within :func:`one_state` each source is opened once, so that what is recorded and what is read are the same. Within
:func:`pinning` it is opened as it was recorded once. Both hold for the task (``contextvars``) that entered them: ask
for sources before handing work to threads.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from feast.credentials import CredentialResolutionError
from feast.data_format import DeltaFormat, ParquetFormat
from feast.data_source import DataSource
from feast.feature_view import FeatureView
from feast.infra.data_sources.contrib.iceberg_catalog.iceberg_source import IcebergSource as FeastIcebergSource
from feast.infra.offline_stores.file_source import FileSource

from api.feast.denial import NotOffered
from api.feast.picture import iceberg_place
from governance.places import file_place, s3_place
from lineage.errors import SourceChanged, SourceGone, SourceUnreadable
from lineage.reproduction import SourceNow
from lineage.sources.delta import DeltaSource
from lineage.sources.digests import FileKey
from lineage.sources.files import Storage
from lineage.sources.iceberg import IcebergSource
from lineage.sources.interface import OpenSource, Source
from lineage.sources.local_disk import LocalDisk
from lineage.sources.parquet_files import ParquetFiles
from lineage.sources.reading_again import check_bytes
from lineage.sources.s3 import S3, S3Access
from lineage.sources.state import SourceState, unobserved_source

Read = FeatureView | DataSource
"""What an act reads: the source of a view, or a source as such."""

_S3 = ("s3", "s3a", "s3n")

_RECORDED: ContextVar[Mapping[str, SourceState] | None] = ContextVar("provender_recorded_sources", default=None)
_OPENED: ContextVar[dict[tuple[DataSource, Path], OpenSource] | None] = ContextVar("provender_sources", default=None)


@contextmanager
def one_state() -> Iterator[None]:
    """Within, every source is opened at most once: one act sees one state of it."""
    token = _OPENED.set({})
    try:
        yield
    finally:
        _OPENED.reset(token)


@contextmanager
def pinning(states: Iterable[SourceState]) -> Iterator[None]:
    """Within, the sources of these names are opened in these recorded states, others as they are now."""
    token = _RECORDED.set({state.name: state for state in states})
    try:
        yield
    finally:
        _RECORDED.reset(token)


def opened(source: DataSource | None, repo: Path) -> OpenSource:
    """The source in the state that the present act reads.

    :raises NotOffered: it is neither files nor a Delta or Iceberg table, or lies where we cannot read
    :raises SourceUnreadable: it is missing or unreadable
    :raises SourceGone, SourceChanged: the pinned state is no longer there
    """
    known = _OPENED.get()
    if source is not None and known is not None and (source, repo) in known:
        return known[source, repo]
    found = lineage_source(source, repo)
    if source is None or found is None:
        raise NotOffered(
            f"Found a {type(source).__name__} {getattr(source, 'name', '')} at {getattr(source, 'path', 'no path')}."
            " AsofOfflineStore reads Parquet files, Delta and Iceberg tables, on local disks or S3; configure one of"
            " Feast's offline stores for other sources."
        )
    opened_now = found.open(at=(_RECORDED.get() or {}).get(source.name))
    if known is not None:
        known[source, repo] = opened_now
    return opened_now


def lineage_source(source: DataSource | None, repo: Path) -> Source | None:
    """What ``source`` reads; None where its state cannot be captured. Raises SourceUnreadable for its credentials."""
    if isinstance(source, FeastIcebergSource):
        return _iceberg(source)
    if source is not None and (path := _workers_parquet(source)) is not None:
        place = _disk_path(path, repo)
        return ParquetFiles(source.name, file_place(place, base=repo), place, LocalDisk())
    if not isinstance(source, FileSource) or not isinstance(source.file_format, ParquetFormat | DeltaFormat | None):
        return None
    if (here := disk_place(source, repo)) is not None:
        return _file_source(source, file_place(here, base=repo), here, here, LocalDisk(), {})
    return _on_s3(source) if urlsplit(source.path).scheme.lower() in _S3 else None


def observe_views(views: tuple[Read, ...], repo: Path, cache: MutableMapping[FileKey, str]) -> tuple[SourceState, ...]:
    """The state of the source of each view, each source once, before it is read.

    :raises SourceUnreadable: one is missing or unreadable
    :raises NotOffered: two that are not the same place have one name
    """
    return tuple(
        unobserved_source(source.name, f"{type(source).__name__.lower()}://{source.name}")
        if lineage_source(source, repo) is None
        else opened(source, repo).state(cache)
        for source in _sources(views, repo)
    )


def check_views(views: tuple[Read, ...], repo: Path, *, pinned: bool) -> None:
    """Raise SourceUnreadable where rows that were read may not be of the state that was observed in this act.

    :param pinned: the rows were read through :func:`opened`; else an engine read what was there at the time, and the
        source must not have moved on.
    """
    for source in _sources(views, repo):
        found = lineage_source(source, repo)
        if found is None:
            continue
        then = opened(source, repo)
        then.check_unchanged()
        if not pinned and found.open().key() != then.key():
            raise SourceUnreadable(
                f"The source {source.name} changed while it was read, so its rows belong to no one state. Run again"
                " when its writer is done."
            )


def keys_now(views: tuple[Read, ...], repo: Path) -> tuple[tuple[str, Hashable], ...]:
    """What stands behind the views at this moment, by what is known without reading it; None of what is missing.

    Raises NotOffered where two sources that are not the same place have one name.
    """
    return tuple((source.name, _key_now(lineage_source(source, repo))) for source in _sources(views, repo))


def standing_of(source: DataSource, state: SourceState, repo: Path, *, read: bool = False) -> SourceNow:
    """Whether a recorded state can still be read, every byte of local files read again. Raises SourceUnreadable.

    :param read: read every byte of objects, too, and not only what their store states of them
    """
    found = lineage_source(source, repo)
    if found is None or state.state == "unknown":
        return SourceNow(state.name, "unknown")
    try:
        there = found.open(at=state)
        return SourceNow(state.name, "as recorded", check_bytes(state, there.computed()) if read else "")
    except SourceGone as error:
        return SourceNow(state.name, "gone", str(error))
    except SourceChanged as error:
        return SourceNow(state.name, "changed", str(error))


def _key_now(source: Source | None) -> Hashable:
    try:
        return None if source is None else source.open().key()
    except SourceUnreadable:
        return None


def _sources(read: Iterable[Read], repo: Path) -> list[DataSource]:
    """Each source once, by name: the name is all that a record, and who repeats it, tells two of them apart by."""
    found = (one if isinstance(one, DataSource) else one.batch_source for one in read)
    sources: dict[str, DataSource] = {}
    for source in filter(None, found):
        first = sources.setdefault(source.name, source)
        if first is not source and _place(first, repo) != _place(source, repo):
            raise NotOffered(
                f"Two sources at different places are called {source.name}: one of the views is an older version, or"
                " was applied before its source moved, and a record names sources by name. Ask for these views in"
                " retrievals of their own, or apply them anew."
            )
    return [source for _, source in sorted(sources.items())]


def _place(source: DataSource, repo: Path) -> Hashable:
    """What of a source says where its rows are, and of which format."""
    if (found := lineage_source(source, repo)) is not None:
        return type(found), found.uri, getattr(found, "path", None)
    proto = source.to_proto()
    kind = proto.WhichOneof("options")
    return type(source), None if kind is None else getattr(proto, kind).SerializeToString(deterministic=True)


def _workers_parquet(source: Any) -> str | None:
    """The path of a Spark or Ray source that is Parquet files; a relative one means another place on each worker."""
    kind = type(source).__name__  # Feast's classes import Spark and Ray
    if kind == "SparkSource":
        plain = source.file_format == "parquet" and not (source.table_format or source.table or source.query)
    else:
        plain = kind == "RaySource" and source.reader_type == "parquet"
    return str(source.path) if plain and source.path.startswith(("/", "file:/")) else None


def disk_place(source: FileSource, repo: Path) -> str | None:
    """The absolute path of a source on a local disk; None of one elsewhere."""
    scheme = urlsplit(source.path).scheme.lower() if "://" in source.path else ""
    return _disk_path(source.path, repo) if scheme in ("", "file") else None


def _disk_path(path: str, repo: Path) -> str:
    plain = unquote(urlsplit(path).path) if path.startswith("file:/") else path
    return os.path.normpath(repo.absolute() / Path(plain).expanduser())


def _on_s3(source: FileSource) -> Source:
    access = _access(source)
    path = source.path.partition("://")[2]
    uri = s3_place(f"s3://{path}", endpoint=source.s3_endpoint_override or None)
    options = access.as_object_store_options() if isinstance(source.file_format, DeltaFormat) else {}
    return _file_source(source, uri, path.rstrip("/"), f"s3://{path}", S3(access), options)


def _file_source(
    source: FileSource, uri: str, path: str, location: str, storage: Storage, options: Mapping[str, str]
) -> Source:
    if isinstance(source.file_format, DeltaFormat):
        return DeltaSource(source.name, uri, path, location, storage, options)
    return ParquetFiles(source.name, uri, path, storage)


def _access(source: FileSource) -> S3Access:
    """Endpoint and credentials as Feast's own stores take them from a file source."""
    try:
        credentials = source.resolve_credentials() or {}
    except CredentialResolutionError as error:
        raise SourceUnreadable(
            f"The credentials of source {source.name} cannot be had: {error}. Correct its connection_ref, or what it"
            " refers to."
        ) from error
    return S3Access(
        endpoint=source.s3_endpoint_override or None,
        access_key=credentials.get("AWS_ACCESS_KEY_ID") or None,
        secret_key=credentials.get("AWS_SECRET_ACCESS_KEY") or None,
        session_token=credentials.get("AWS_SESSION_TOKEN") or None,
        region=credentials.get("AWS_DEFAULT_REGION") or credentials.get("AWS_REGION") or None,
    )


def _iceberg(source: FeastIcebergSource) -> Source:
    """The catalogue and table that Feast's own reader would load."""
    token = os.environ.get(source.token_env_var) if source.token_env_var else None
    known = {"type": source.catalog_type, "uri": source.endpoint, "warehouse": source.warehouse, "token": token}
    properties = {name: value for name, value in known.items() if value} | source.catalog_properties
    table = f"{source.namespace}.{source.iceberg_table}"
    return IcebergSource(source.name, iceberg_place(source), table, source.catalog_name, properties)
