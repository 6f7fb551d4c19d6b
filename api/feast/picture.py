"""Drawing our picture of a Feast registry: protobufs in, frozen assets out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from feast.infra.data_sources.contrib.iceberg_catalog.iceberg_source import IcebergSource
from feast.protos.feast.core.DataSource_pb2 import DataSource as DataSourceProto
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.protos.feast.types.Value_pb2 import ValueType
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from api.feast.bookkeeping import CLASS, META, without
from governance.assets import Asset, Definitions, Field, Input
from governance.errors import ConfigurationError
from governance.places import kafka_places, place_of, s3_place
from governance.validation.applicable import suite_files

DUMMY_ENTITY = "__dummy"
"""The entity that Feast gives to views without one."""

Placed = Callable[[str], str]
"""The place of the URI or path that a source names."""

_TYPES = {number: name for name, number in ValueType.Enum.items()}

_UNGOVERNED = ("feature_tables", "validation_references")
"""Objects that Feast knows and this picture has no word for: nothing may slip past the policy in one of them."""


def draw(registry: RegistryProto, *, project: str, repo: Path) -> Definitions:
    """All objects of ``project`` in the registry; relative paths of sources are below ``repo``.

    Of a registry of the same bytes, over files in the same places, it is the same picture, drawn once. Raises
    ConfigurationError for objects that cannot be judged: of another project, or of a kind not known here.
    """
    suites = frozenset(path.stem for path in suite_files(repo / "expectations"))
    return _drawn(registry.SerializeToString(deterministic=True), project, repo, suites, _real_paths(registry, repo))


def _real_paths(registry: RegistryProto, repo: Path) -> frozenset[tuple[str, str]]:
    """Where each file of a source or saved dataset really lies: a symbolic link may lead elsewhere tomorrow."""
    views = (*registry.feature_views, *registry.stream_feature_views)
    copies = [source for view in views for source in (view.spec.batch_source, view.spec.stream_source)]
    copies += [view.spec.source for view in registry.label_views]
    uris = {source.file_options.uri for source in (*registry.data_sources, *copies)}
    uris |= {dataset.spec.storage.file_storage.uri for dataset in registry.saved_datasets}
    return frozenset((uri, os.path.realpath(repo / unquote(uri.removeprefix("file://")))) for uri in uris if uri)


@lru_cache(maxsize=8)
def _drawn(
    content: bytes, project: str, repo: Path, suites: frozenset[str], _real_paths: frozenset[tuple[str, str]]
) -> Definitions:
    registry = RegistryProto.FromString(content)
    _refuse_what_cannot_be_judged(registry, project)
    views, place = _view_kinds(registry), cache(partial(place_of, base=repo))
    sources = {proto.name: _source_places(proto, place) for proto in registry.data_sources}
    assets = [
        *(_source(proto, place) for proto in registry.data_sources),
        *(_entity(proto) for proto in registry.entities),
        *(_feature_view("feature_view", proto, views, sources, place) for proto in registry.feature_views),
        *(
            _feature_view("stream_feature_view", proto, views, sources, place)
            for proto in registry.stream_feature_views
        ),
        *(_feature_view("feature_view", one, views, sources, place) for one in registry.label_views),
        *(_on_demand(proto, views) for proto in registry.on_demand_feature_views),
        *(_service(proto, views, suites) for proto in registry.feature_services),
        *(_saved_dataset(proto, views, place) for proto in registry.saved_datasets),
        *(_permission(proto) for proto in registry.permissions),
    ]
    return Definitions(project, assets)


def _refuse_what_cannot_be_judged(registry: RegistryProto, project: str) -> None:
    for kind in _UNGOVERNED:
        if len(getattr(registry, kind)):
            raise ConfigurationError(
                f"The registry holds {kind.replace('_', ' ')}, which no policy can judge yet. Remove"
                " them from the repository."
            )
    for proto in _objects(registry):
        spec = getattr(proto, "spec", proto)
        if spec.project not in (project, ""):
            raise ConfigurationError(
                f"The registry of project {project} holds {spec.name!r} of project {spec.project}, which its policy"
                " does not judge. Give each project a registry path of its own."
            )


def _objects(registry: RegistryProto) -> Iterator[Any]:
    for field, value in registry.ListFields():
        if field.is_repeated and field.name not in ("projects", "project_metadata"):
            yield from value


def _view_kinds(registry: RegistryProto) -> dict[str, str]:
    kinds = {
        "feature_view": [*registry.feature_views, *registry.label_views],
        "stream_feature_view": registry.stream_feature_views,
        "on_demand_feature_view": registry.on_demand_feature_views,
    }
    return {proto.spec.name: kind for kind, protos in kinds.items() for proto in protos}


def _source(proto: Any, place: Placed) -> Asset:
    batch = (Input(f"data_source:{proto.batch_source.name}"),) if proto.HasField("batch_source") else ()
    return Asset(
        kind="data_source",
        name=proto.name,
        project=proto.project,
        owner=proto.owner,
        tags=_tags(proto),
        inputs=batch,
        places=_source_places(proto, place),
        facts={
            "description": proto.description,
            "source_type": proto.data_source_class_type.rsplit(".", 1)[-1],
            "timestamp_field": proto.timestamp_field,
            "created_timestamp_column": proto.created_timestamp_column,
        },
        definition=_definition(proto),
    )


def _source_places(proto: Any, place: Placed) -> tuple[str, ...]:
    options = proto.WhichOneof("options")
    if options == "file_options":
        uri, endpoint = proto.file_options.uri, proto.file_options.s3_endpoint_override
        return (s3_place(uri, endpoint=endpoint) if uri.startswith("s3://") else place(uri),)
    if options == "spark_options" and proto.spark_options.path.startswith(("/", "file:///")):
        return (place(proto.spark_options.path),)  # a relative path is one of each worker's own
    if options == "kafka_options":
        return kafka_places(proto.kafka_options.kafka_bootstrap_servers, proto.kafka_options.topic)
    if options in ("request_data_options", "push_options", None):
        return ()  # the data comes with the request or by push: it lies nowhere of its own
    if proto.type == DataSourceProto.BATCH_ICEBERG:
        return (iceberg_place(IcebergSource.from_proto(proto)),)
    return (f"{options.removesuffix('_options')}://unknown",)


def iceberg_place(source: Any) -> str:
    """The place of an Iceberg table: its catalogue, which alone knows where the files lie, and its name there."""
    return f"iceberg://{source.catalog_name}/{source.namespace}.{source.iceberg_table}"


def _entity(proto: Any) -> Asset:
    spec = proto.spec
    facts = {
        "description": spec.description,
        "join_key": spec.join_key,
        "value_type": _TYPES[spec.value_type],
    }
    return _plain("entity", spec, facts=facts, system=spec.name == DUMMY_ENTITY)


def _feature_view(
    kind: str, proto: Any, views: Mapping[str, str], known: Mapping[str, tuple[str, ...]], place: Placed
) -> Asset:
    """A view. It carries a copy of its source, which is what is read: where that lies elsewhere, the view says so.

    Feast's label view, of what people judged, is read and served like a feature view, and so judged as one.
    """
    spec = proto.spec
    read = [name for name in ("batch_source", "stream_source", "source") if name in spec.DESCRIPTOR.fields_by_name]
    sources = [getattr(spec, name) for name in read if spec.HasField(name)]
    upstream = [Input(_view_key(getattr(view, "name", str(view)), views)) for view in getattr(spec, "source_views", ())]
    return Asset(
        kind=kind,
        name=spec.name,
        project=spec.project,
        owner=spec.owner,
        tags=_tags(spec),
        fields=_fields(spec.features),
        inputs=(*(Input(f"data_source:{source.name}") for source in sources), *_entities(spec), *upstream),
        places=_elsewhere(sources, known, place),
        facts={
            "description": spec.description,
            "online": spec.online,
            "offline": getattr(spec, "offline", False),  # stream and label views have no such field
            "ttl_seconds": spec.ttl.seconds,
            **_keys(spec),
        },
        definition=_definition(spec),
    )


def _elsewhere(sources: list[Any], known: Mapping[str, tuple[str, ...]], place: Placed) -> tuple[str, ...]:
    """Where a view's own copies of its sources lie and the sources of that name do not."""
    lies = ((source.name, uri) for source in sources for uri in _source_places(source, place))
    return tuple(uri for name, uri in lies if uri not in known.get(name, ()))


def _keys(spec: Any) -> dict[str, Any]:
    return {
        "entities": [name for name in spec.entities if name != DUMMY_ENTITY],
        "join_keys": [column.name for column in spec.entity_columns if column.name != f"{DUMMY_ENTITY}_id"],
    }


def _entities(spec: Any) -> Iterator[Input]:
    """The entities of a view: their join keys are among its columns, so their labels are too."""
    return (Input(f"entity:{name}") for name in spec.entities if name != DUMMY_ENTITY)


def _on_demand(proto: Any, views: Mapping[str, str]) -> Asset:
    spec = proto.spec
    return Asset(
        kind="on_demand_feature_view",
        name=spec.name,
        project=spec.project,
        owner=spec.owner,
        tags=_tags(spec),
        fields=_fields(spec.features),
        inputs=tuple(_on_demand_input(spec.sources[name], views) for name in sorted(spec.sources)),
        facts={"description": spec.description, "online": spec.write_to_online_store, "mode": spec.mode},
        definition=_definition(spec),
    )


def _on_demand_input(source: Any, views: Mapping[str, str]) -> Input:
    which = source.WhichOneof("source")
    if which == "request_data_source":
        return Input(f"data_source:{source.request_data_source.name}")
    if which == "feature_view":
        return Input(_view_key(source.feature_view.spec.name, views))
    return _projection(source.feature_view_projection, views)


def _service(proto: Any, views: Mapping[str, str], suites: frozenset[str]) -> Asset:
    spec = proto.spec
    inputs = tuple(_projection(projection, views) for projection in spec.features)
    return _plain(
        "feature_service", spec, inputs=inputs, facts={"description": spec.description, "suite": spec.name in suites}
    )


def _projection(projection: Any, views: Mapping[str, str]) -> Input:
    return Input(_view_key(projection.feature_view_name, views), tuple(f.name for f in projection.feature_columns))


def _view_key(name: str, views: Mapping[str, str]) -> str:
    return f"{views.get(name, 'feature_view')}:{name}"


def _saved_dataset(proto: Any, views: Mapping[str, str], place: Placed) -> Asset:
    """A copy of rows: it is made from the features that it names, so it lies where all of them may."""
    storage = proto.spec.storage
    which = storage.WhichOneof("kind")
    lies = (place(storage.file_storage.uri),) if which == "file_storage" else (f"{which}://unknown",)
    inputs = tuple(_copied(ref, views) for ref in proto.spec.features)
    facts = {"join_keys": list(proto.spec.join_keys)}
    return _plain("saved_dataset", proto.spec, inputs=inputs, facts=facts, places=lies)


def _copied(ref: str, views: Mapping[str, str]) -> Input:
    """The field of a reference; the whole view where it names a version, whose fields may be others."""
    name, _, feature = ref.partition(":")
    view, version, _ = name.partition("@")
    return Input(_view_key(view, views), (feature,) if feature and not version else None)


def _permission(proto: Any) -> Asset:
    document = _definition(proto.spec)
    facts = {"actions": document.get("actions", []), "types": document.get("types", [])}
    return _plain("permission", proto.spec, facts=facts)


def _plain(
    kind: str,
    spec: Any,
    *,
    facts: Mapping[str, Any],
    inputs: tuple[Input, ...] = (),
    places: tuple[str, ...] = (),
    system: bool = False,
) -> Asset:
    return Asset(
        kind=kind,
        name=spec.name,
        project=spec.project,
        owner=getattr(spec, "owner", ""),
        tags=_tags(spec),
        inputs=inputs,
        places=places,
        facts=facts,
        definition=_definition(spec),
        system=system,
    )


def _fields(features: Iterable[Any]) -> tuple[Field, ...]:
    return tuple(Field(one.name, _TYPES[one.value_type], _tags(one)) for one in features)


def _tags(message: Any) -> dict[str, str]:
    """The tags of a message; most fields have none, and asking a map whether it has any is cheaper than copying it."""
    return dict(message.tags) if message.tags else {}


def _definition(message: Message) -> Any:
    return _as_json(type(message), message.SerializeToString(deterministic=True))  # type: ignore[arg-type] # classes hash


@lru_cache(maxsize=100_000)
def _as_json(kind: type[Message], content: bytes) -> Any:
    """The definition in a message of those bytes: an apply draws several registries that differ in one object."""
    left_out = META if kind.DESCRIPTOR.name == "DataSource" else META | CLASS
    return MessageToDict(without(kind.FromString(content), left_out), preserving_proto_field_name=True)
