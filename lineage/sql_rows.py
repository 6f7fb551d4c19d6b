"""Entity rows as the answer of a SQL query over named tables, and nothing else that DuckDB could reach.

    query = parsed("SELECT patient_id, visit AS event_timestamp FROM visits")
    rows = query.rows({"visits": dataset})

A query is one SELECT. It sees the tables that it names and is given: no file, no other table, no setting to change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
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
    """``text`` as a query; nothing is looked up or run. Raises WrongQuestion for what is not one SELECT."""
    with connected(Limits()) as connection:
        found = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchone()
    tree: dict[str, Any] = json.loads(found[0]) if found else {"error": True}
    if tree["error"] or len(tree["statements"]) != 1:
        raise WrongQuestion(f"The entity rows are text that is not one SELECT which DuckDB understands. {_EXPECTED}")
    nodes = list(_nodes(tree))
    names = {str(node["table_name"]) for node in nodes if node.get("type") == "BASE_TABLE"}
    own = frozenset(str(one["key"]) for node in nodes for one in node.get("cte_map", {}).get("map", ()))
    return EntityQuery(text, tuple(sorted(names)), own)


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
