"""What Feast's protobufs carry beside definitions: times, states and pickled code.

It is cleared by the fields of the messages, never by name in their JSON, where a tag called ``meta`` would go too.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

META = frozenset({"meta"})
"""Times, materialization intervals, states and version numbers of one object."""

CLASS = frozenset({"data_source_class_type"})
"""Feast forgets it in a view's copy of its source when the same view is applied again; the source itself keeps it."""

TIMES = frozenset({"created_timestamp", "last_updated_timestamp", "last_updated", "version_id"})
"""What changes when the same objects are applied again."""

_Message = TypeVar("_Message", bound=Message)


def without(message: _Message, fields: frozenset[str]) -> _Message:
    """A copy of ``message`` without those fields, at any depth, and without pickles whose source text stands beside.

    A pickled function holds the path of the file it came from and is another on each machine. Feast rehydrates
    from the source text where there is one; where there is none the pickle is the definition and stays.
    """
    copy = type(message)()
    copy.CopyFrom(message)
    _clear(copy, fields)
    return copy


def differ(one: Message, other: Message) -> bool:
    """Whether two registries differ in more than times and the order of their objects."""
    return _parts(one) != _parts(other)


def _parts(registry: Message) -> list[tuple[str, bytes]]:
    parts: list[tuple[str, bytes]] = []
    for field, value in without(registry, TIMES | CLASS).ListFields():
        values: Iterable[Message | str] = value if field.is_repeated else [value]
        parts.extend((field.name, _bytes(each)) for each in values)
    return sorted(parts)


def _bytes(value: Message | str) -> bytes:
    return value.SerializeToString(deterministic=True) if isinstance(value, Message) else repr(value).encode()


def _clear(message: Message, fields: frozenset[str]) -> None:
    if getattr(message, "body_text", ""):
        message.ClearField("body")
    for field, value in message.ListFields():
        if field.name in fields:
            message.ClearField(field.name)
        elif field.message_type is not None and _concerned(field.message_type, fields):
            for each in _messages(field.message_type, value if field.is_repeated else [value]):
                _clear(each, fields)


@cache
def _concerned(kind: Descriptor, fields: frozenset[str]) -> bool:
    """Whether there is anything to clear in messages of that kind, at any depth: in most of a view's there is not."""
    seen: set[str] = set()
    waiting = [kind]
    while waiting:
        one = waiting.pop()
        if one.full_name not in seen:
            seen.add(one.full_name)
            if not {*fields, "body_text"}.isdisjoint(one.fields_by_name):
                return True
            waiting.extend(field.message_type for field in one.fields if field.message_type is not None)
    return False


def _messages(kind: Descriptor, values: Any) -> Iterable[Message]:
    """The messages among the values of a field; a map's are behind its keys, if it holds messages at all."""
    if not kind.GetOptions().map_entry:
        return tuple(values)
    return tuple(values.values()) if kind.fields_by_name["value"].message_type is not None else ()
