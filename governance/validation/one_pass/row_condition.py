"""Row conditions: which rows an expectation speaks of, as pandas' ``query`` would choose them.

Great Expectations 1.x writes them as JSON (``comparison``, ``nullity``, ``and``, ``or``); a text for pandas is read
where it is one plain comparison. A missing value satisfies ``!=`` and ``NOT_IN``, and no other comparison.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import reduce
from typing import Final

from governance.canonical import Json
from governance.validation.one_pass.columns import Column, Kind
from governance.validation.one_pass.measure import Condition
from governance.validation.one_pass.question import Untranslatable, elements, member_of, number

_SIGNS: Final = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_TEXT: Final = re.compile(
    r"""\s*([A-Za-z_][A-Za-z0-9_]*)\s*(==|!=|<=|>=|<|>)\s*(-?\d{1,15}(?:\.\d{1,15})?|"[^"'\\\n]*"|'[^"'\\\n]*')\s*""",
    re.ASCII,
)


def row_condition(condition: Json, parser: Json, columns: Mapping[str, Column]) -> tuple[Condition, frozenset[str]]:
    """The rows that count, and the columns that say so. Raises Untranslatable."""
    if isinstance(condition, str):
        if parser != "pandas":
            raise Untranslatable
        condition = _comparison(condition)
    if not isinstance(condition, dict):
        raise Untranslatable
    used: set[str] = set()
    return _translated(condition, columns, used).surely(), frozenset(used)


def _comparison(text: str) -> Json:
    if (match := _TEXT.fullmatch(text)) is None:
        raise Untranslatable
    name, operator, value = match.groups()
    parameter = value[1:-1] if value[0] in "\"'" else json.loads(value)
    return {"type": "comparison", "column": {"name": name}, "operator": operator, "parameter": parameter}


def _translated(condition: Mapping[str, Json], columns: Mapping[str, Column], used: set[str]) -> Condition:
    kind = condition.get("type")
    if kind in ("and", "or"):
        return _joined(kind, condition.get("conditions"), columns, used)
    named = condition.get("column")
    name = named.get("name") if isinstance(named, dict) else None
    if not isinstance(name, str) or name not in columns:
        raise Untranslatable
    used.add(name)
    if kind == "nullity" and isinstance(condition.get("is_null"), bool):
        return Condition(f"{columns[name].sql} IS {'' if condition['is_null'] else 'NOT '}NULL")
    if kind == "comparison":
        return _compared(columns[name], condition.get("operator"), condition.get("parameter"))
    raise Untranslatable


def _joined(kind: str, parts: Json, columns: Mapping[str, Column], used: set[str]) -> Condition:
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        raise Untranslatable
    if any(part.get("type") == "or" for part in parts):  # Great Expectations refuses these
        raise Untranslatable
    conditions = [_translated(part, columns, used) for part in parts]
    return reduce(lambda one, other: one & other if kind == "and" else one | other, conditions)


def _compared(column: Column, operator: Json, parameter: Json) -> Condition:
    if operator in ("IN", "NOT_IN"):
        inside = member_of(column.sql, elements(parameter, column.kind)).surely()
        return inside if operator == "IN" else ~inside
    if not isinstance(operator, str) or operator not in _SIGNS or not _fits(column, operator, parameter):
        raise Untranslatable
    whole = Condition(f"{column.sql} {_SIGNS[operator]} ?", (parameter,))
    return whole | Condition(f"{column.sql} IS NULL") if operator == "!=" else whole.surely()


def _fits(column: Column, operator: str, parameter: Json) -> bool:
    if column.kind.numeric:
        number(parameter)
        return True
    return column.kind is Kind.TEXT and isinstance(parameter, str) and operator in ("==", "!=")
