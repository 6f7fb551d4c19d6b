"""The columns of an Arrow schema as td1 sees them: in descriptor order, with logical types."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from lineage.errors import NotDigestible
from lineage.td1.types import LogicalType, Untypable, checked_name, has_duplicate_names, logical_type, raw_name, shown


def logical_columns(schema: pa.Schema) -> dict[str, LogicalType]:
    """Names and logical types, sorted by the names' UTF-8 bytes.

    Raises:
        NotDigestible: ``duplicate_name`` first; then ``invalid_utf8`` or ``unsupported_type``, in order of columns.
    """
    return {shown(name): _typed(name, field) for name, field in _distinct(schema).items()}


def require_same_columns(expected: Mapping[str, LogicalType], schema: pa.Schema) -> None:
    """Raises ``NotDigestible`` where ``schema`` is not digestible or has other names or logical types."""
    found = _distinct(schema)
    wanted = {name.encode(): kind for name, kind in expected.items()}
    for name in sorted(wanted.keys() | found.keys()):
        kind = _typed(name, found[name]) if name in found else None
        if kind != wanted.get(name):
            raise NotDigestible("schema_change", column=shown(name), message=_difference(kind, wanted.get(name)))


def _difference(found: LogicalType | None, wanted: LogicalType | None) -> str:
    found_text, wanted_text = ("no such column" if kind is None else kind.json for kind in (found, wanted))
    return f"found {found_text}, expected {wanted_text} as in the first schema; cast every batch to it"


def _distinct(schema: pa.Schema) -> dict[bytes, pa.Field]:
    pairs = [(raw_name(field), field) for field in schema]
    fields: dict[bytes, pa.Field] = {}
    for name, field in sorted(pairs, key=lambda pair: pair[0]):
        if name in fields or has_duplicate_names(field.type):
            where = "two columns have this name" if name in fields else "two fields of a struct have one name"
            raise NotDigestible("duplicate_name", column=shown(name), message=f"{where}; rename one")
        fields[name] = field
    return fields


def _typed(name: bytes, field: pa.Field) -> LogicalType:
    try:
        checked_name(name)
        return logical_type(field.type)
    except Untypable as error:
        raise NotDigestible(error.kind, column=shown(name), message=str(error)) from error
