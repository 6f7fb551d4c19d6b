"""Entity keys out of a V2 inference request, and nothing else: features come from the online store.

Values are taken only as they were sent: 1.5 is no patient number, though numpy would make 1 of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kserve import InferInput, InferRequest
from kserve.errors import InvalidInput

from api.feast.online_reads import JoinKey
from governance.errors import ConfigurationError

DATATYPES = {"INT64": "INT64", "INT32": "INT32", "STRING": "BYTES"}
"""Feast's value types of join keys → datatypes of the V2 protocol"""

MAX_ENTITIES = 1000

_BITS = {"INT64": 63, "INT32": 31}


def datatype(key: JoinKey) -> str:
    """The V2 datatype of a join key. Raises ConfigurationError for a type that requests cannot carry."""
    if key.type not in DATATYPES:
        raise ConfigurationError(
            f"The join key {key.name} is {key.type}. Expected one of {', '.join(DATATYPES)} for an endpoint."
        )
    return DATATYPES[key.type]


def entities(request: InferRequest, keys: Sequence[JoinKey]) -> list[dict[str, Any]]:
    """One mapping of join keys for each entity that ``request`` asks about. Raises InvalidInput."""
    expected = ", ".join(f"{key.name} ({datatype(key)})" for key in keys)
    inputs = {one.name: one for one in request.inputs}
    if len(inputs) != len(request.inputs) or inputs.keys() != {key.name for key in keys}:
        found = ", ".join(one.name for one in request.inputs) or "none"
        raise InvalidInput(f"The inputs are: {found}. Expected the entity keys, each once: {expected}.")
    columns = {key.name: _values(inputs[key.name], key) for key in keys}
    counts = {len(values) for values in columns.values()}
    if len(counts) != 1 or not 1 <= (rows := counts.pop()) <= MAX_ENTITIES:
        raise InvalidInput(
            f"Expected between 1 and {MAX_ENTITIES} entities, and as many values of each key: {expected}."
        )
    return [{name: values[row] for name, values in columns.items()} for row in range(rows)]


def _values(sent: InferInput, key: JoinKey) -> list[Any]:
    wanted = datatype(key)
    if sent.datatype != wanted:
        raise InvalidInput(f"Input {sent.name} has datatype {sent.datatype}. Expected {wanted}.")
    if not isinstance(sent.data, list):
        raise InvalidInput(f"Input {sent.name} has binary data. Expected its values in JSON, as `data`.")
    values = [value for item in sent.data for value in (item if isinstance(item, list) else [item])]
    if sent.shape not in ([len(values)], [len(values), 1]):
        raise InvalidInput(
            f"Input {sent.name} has shape {sent.shape} and {len(values)} values. Expected [{len(values)}]."
        )
    for value in values:
        if not _is(value, wanted):
            raise InvalidInput(f"Input {sent.name} holds {value!r}. Expected values of {wanted}.")
    return values


def _is(value: object, wanted: str) -> bool:
    if wanted == "BYTES":
        return isinstance(value, str)
    limit = 1 << _BITS[wanted]
    return isinstance(value, int) and not isinstance(value, bool) and -limit <= value < limit


def refuse_unknown(rows: Sequence[Mapping[str, Any]], missing: Sequence[tuple[int, str]]) -> None:
    """Raise InvalidInput where a feature view holds nothing about an entity: no inference on nothing."""
    if missing:
        position, _view = missing[0]
        views = ", ".join(view for row, view in missing if row == position)
        named = ", ".join(f"{name} {value!r}" for name, value in rows[position].items())
        others = len({row for row, _view in missing}) - 1
        more = f" The same holds for {others} more." if others else ""
        raise InvalidInput(
            f"There are no features of {named} in {views}, so nothing was predicted.{more}"
            " Check the key, or materialize the feature views."
        )
