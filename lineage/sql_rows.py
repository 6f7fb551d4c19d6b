"""Entity rows as the answer of a SQL query over named tables, and nothing else that DuckDB could reach.

    query = parsed("SELECT patient_id, visit AS event_timestamp FROM visits")
    rows = query.rows({"visits": dataset})

A query is one SELECT. It sees the tables that it names and is given: no file, no other table, no setting. What cannot
but give other rows another time (chance, a LIMIT without ORDER BY) is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from governance.errors import WrongQuestion
from lineage.duckdb_engine import Limits, connected
from lineage.errors import SourceUnreadable


@dataclass(frozen=True)
class EntityQuery:
    """One SELECT, read but not run."""

    text: str
    tables: tuple[str, ...]
    """names of the tables that it reads, sorted"""
    own: frozenset[str] = frozenset()
    """names that it gives to queries of its own (WITH); one may stand for a table elsewhere in the text"""

    def rows(self, tables: Mapping[str, Any], limits: Limits | None = None) -> pa.Table:
        """The answer of the query over ``tables`` (datasets or Arrow tables by the names it uses), in no order.

        Raises WrongQuestion where the query does not fit the tables, SourceUnreadable where it fails on their rows.
        """
        with connected(limits or Limits()) as connection:
            answer = _bound(connection, self, tables)
            try:
                return answer.to_arrow_table()
            except duckdb.OutOfMemoryException:
                raise  # for the limits
            except duckdb.Error as error:
                raise SourceUnreadable(
                    f"The query for entity rows failed on the rows of {list(self.tables)} ({type(error).__name__})."
                    " Check its casts and arithmetic against the values there."
                ) from None  # DuckDB quotes values

    def schema(self, tables: Mapping[str, Any]) -> pa.Schema:
        """Names and types of the answer, without its rows. Raises WrongQuestion."""
        with connected(Limits()) as connection:
            return _bound(connection, self, tables).limit(0).to_arrow_table().schema


def parsed(text: str) -> EntityQuery:
    """``text`` as a query; nothing is looked up or run.

    Raises WrongQuestion for what is not one SELECT, or reads what is no table, or depends on chance.
    """
    with connected(Limits()) as connection:
        found = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchone()
    tree: dict[str, Any] = json.loads(found[0]) if found else {"error": True}
    if tree["error"] or len(tree["statements"]) != 1:
        raise WrongQuestion(f"The entity rows are text that is not one SELECT which DuckDB understands. {_EXPECTED}")
    nodes = list(_nodes(tree))
    _require_tables_alone(nodes)
    _require_no_chance(nodes)
    names = {str(node["table_name"]) for node in nodes if node.get("type") == "BASE_TABLE"}
    own = frozenset(str(one["key"]) for node in nodes for one in node.get("cte_map", {}).get("map", ()))
    return EntityQuery(text, tuple(sorted(names)), own)


_ROWS_OF_VALUES = frozenset({"generate_series", "range", "unnest"})
_VOLATILE = frozenset(
    {"current_connection_id", "current_query", "current_query_id", "current_transaction_id", "currval", "error"}
    | {"gen_random_uuid", "nextval", "random", "setseed", "setval", "sleep_ms", "stats", "uuid", "uuidv4", "uuidv7"}
    | {"vector_type", "write_log"}
)
"""What DuckDB calls so in ``duckdb_functions()``."""
_CHANCE = _VOLATILE | {"reservoir_quantile"}
_SETTINGS = frozenset({"current_setting", "getvariable"})


def _require_tables_alone(nodes: Sequence[Mapping[str, Any]]) -> None:
    made = {_function(node["function"]) for node in nodes if node.get("type") == "TABLE_FUNCTION"} - _ROWS_OF_VALUES
    asked = {_function(node) for node in nodes} & _SETTINGS
    qualified = [node for node in nodes if node.get("type") == "BASE_TABLE"]
    if made or asked or any(node["schema_name"] or node["catalog_name"] for node in qualified):
        raise WrongQuestion(
            f"The query for entity rows reads {sorted(made | asked) or 'a table of a schema'}. It sees the data sources"
            " that it names, without a schema, and nothing of the machine. Name data sources, range, generate_series or"
            " unnest."
        )


def _require_no_chance(nodes: Sequence[Mapping[str, Any]]) -> None:
    found = {_function(node) for node in nodes} & _CHANCE
    sampled = {"a sample" for node in nodes if node.get("sample")}
    cut = {"LIMIT without ORDER BY" for node in nodes if _is_cut_anywhere(node)}
    if chance := sorted(found | sampled | cut):
        raise WrongQuestion(
            f"The query for entity rows has {', '.join(chance)}: it would give other rows another time. Expected a"
            " query whose answer its tables decide; choose rows by their values, and order them before a LIMIT."
        )


def _is_cut_anywhere(node: Mapping[str, Any]) -> bool:
    modifiers = node.get("modifiers")
    kinds = {one["type"] for one in modifiers} if isinstance(modifiers, list) else set()
    return "ORDER_MODIFIER" not in kinds and any(kind.startswith("LIMIT") for kind in kinds)


def _function(node: Mapping[str, Any]) -> str:
    return str(node.get("function_name", "")).casefold()


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in DuckDB's JSON of a query."""
    if isinstance(tree, dict):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(part)


_EXPECTED = "Expected one SELECT over names of data sources, with the join keys and an event_timestamp."


def _bound(
    connection: duckdb.DuckDBPyConnection, query: EntityQuery, tables: Mapping[str, Any]
) -> duckdb.DuckDBPyRelation:
    if missing := sorted(set(query.tables) - tables.keys() - query.own):
        raise WrongQuestion(f"The query for entity rows reads {missing}, which is not there. {_EXPECTED}")
    for name in query.tables:
        if name in tables:
            connection.register(name, tables[name])
    try:
        answer = connection.sql(query.text)
    except duckdb.Error as error:
        raise WrongQuestion(
            f"The query for entity rows does not fit the tables {list(query.tables)} ({type(error).__name__}). It sees"
            " the data sources that it names, their columns, and DuckDB's own functions; no files. Correct names and"
            " types."
        ) from None  # it repeats the text, whose literals may be a person's
    if answer is None:
        raise WrongQuestion(f"The query for entity rows gives no rows. {_EXPECTED}")
    if len(set(answer.columns)) != len(answer.columns):
        raise WrongQuestion(
            f"The query for entity rows gives two columns of one name among {answer.columns}. Name each with AS."
        )
    return answer
