"""Two changes of one registry, made beside each other: both, where they are about different objects.

What counts is what each of them changed since the registry that both began with. So a ``feast apply`` that declares an
object as it was does not undo what somebody else made of it meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto

from api.feast.bookkeeping import CLASS, META, TIMES, without

Key = tuple[str, str, str]
"""Kind, project, name. Feast wants names of views unique over all kinds of view, upper and lower case alike."""

_VIEWS = frozenset({"feature_views", "on_demand_feature_views", "stream_feature_views", "label_views"})
_VALUES = (("infra", "infra_objects"), ("feature_view_version_history", "records"))
"""What has no name of its own: a thing that is there or not."""
_RANDOM = "project_metadata"
"""Feast gives each project a random number when it first sees it: the first one stays."""


class Conflict(Exception):
    """Both changed the same objects."""

    def __init__(self, keys: tuple[Key, ...]) -> None:
        super().__init__(", ".join(f"{kind[:-1].replace('_', ' ')} {name}" for kind, _project, name in keys))


@dataclass(frozen=True)
class _Object:
    field: str
    message: Any

    @property
    def definition(self) -> bytes:
        """What a person declared, without Feast's own bookkeeping."""
        bare = without(self.message, META | TIMES | CLASS)
        return self.field.encode() + b"\0" + bytes(bare.SerializeToString(deterministic=True))


def merged(*, base: RegistryProto, theirs: RegistryProto, mine: RegistryProto) -> RegistryProto:
    """``theirs`` with what ``mine`` changed since ``base``. Raises Conflict.

    Materialization intervals are added and taken away one by one: to materialize a view and to change it may meet.
    """
    was, there, here = _objects(base), _objects(theirs), _objects(mine)
    names = dict.fromkeys((*there, *here))
    ways = {key: (was.get(key), there.get(key), here.get(key)) for key in names}
    if clash := tuple(sorted(key for key, way in ways.items() if _clash(*way))):
        raise Conflict(clash)
    result = RegistryProto()
    result.CopyFrom(theirs)
    for field in _named_fields():
        del getattr(result, field)[:]
    for way in ways.values():
        if (chosen := _chosen(*way)) is not None:
            getattr(result, chosen.field).append(chosen.message)
    for field, inner in _VALUES:
        _merge_values(*(getattr(getattr(one, field), inner) for one in (base, mine, result)))
    return result


def _objects(registry: RegistryProto) -> Mapping[Key, _Object]:
    return {_key(field, one): _Object(field, one) for field in _named_fields() for one in getattr(registry, field)}


def _named_fields() -> Iterator[str]:
    return (field.name for field in RegistryProto.DESCRIPTOR.fields if field.is_repeated)


def _key(field: str, message: Any) -> Key:
    if field == _RANDOM:
        return field, message.project, message.project
    spec = message.spec if "spec" in message.DESCRIPTOR.fields_by_name else message
    kind, name = ("feature_views", spec.name.lower()) if field in _VIEWS else (field, spec.name)
    return kind, getattr(spec, "project", ""), name


def _clash(was: _Object | None, theirs: _Object | None, mine: _Object | None) -> bool:
    """Whether both defined something else, and not the same."""
    if _same(was, theirs) or _same(was, mine):
        return False
    return not _same(theirs, mine) and _RANDOM not in {one.field for one in (theirs, mine) if one is not None}


def _same(one: _Object | None, other: _Object | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.message == other.message or one.definition == other.definition


def _chosen(was: _Object | None, theirs: _Object | None, mine: _Object | None) -> _Object | None:
    if theirs is None or mine is None:  # one side has it no more, or not yet
        removed = was is not None
        return None if removed else theirs or mine
    if theirs.field == _RANDOM or mine.message == (was and was.message):
        return theirs
    kept = theirs if _same(was, mine) and not _same(was, theirs) else mine
    return _with_intervals(kept, was, theirs, mine)


def _with_intervals(kept: _Object, was: _Object | None, theirs: _Object, mine: _Object) -> _Object:
    if not hasattr(getattr(kept.message, "meta", None), "materialization_intervals"):
        return kept
    message = type(kept.message)()
    message.CopyFrom(theirs.message)
    intervals = message.meta.materialization_intervals
    before = was.message.meta.materialization_intervals if was else []
    _merge_values(before, mine.message.meta.materialization_intervals, intervals)
    result = type(kept.message)()
    result.CopyFrom(kept.message)
    del result.meta.materialization_intervals[:]
    result.meta.materialization_intervals.extend(intervals)
    return _Object(kept.field, result)


def _merge_values(base: Any, mine: Any, into: Any) -> None:
    """Do to ``into`` what was done to ``base`` to make ``mine`` of it."""
    gone = [one for one in base if one not in mine]
    left = [one for one in into if one not in gone]
    new = [one for one in mine if one not in base and one not in left]
    del into[:]
    into.extend([*left, *new])
