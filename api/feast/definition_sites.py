"""Where in the files of a Feast repository each object is defined.

Feast keeps no line of an object. The files are read as syntax trees: the call or the decorated function that names an
object is its place, and where several name it, the one at the top of a file that is bound to a variable. An object that
a program makes under a computed name has no place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

KIND_OF_CLASS: Mapping[str, str] = {
    "Entity": "entity",
    "FeatureView": "feature_view",
    "BatchFeatureView": "feature_view",
    "LabelView": "feature_view",
    "StreamFeatureView": "stream_feature_view",
    "stream_feature_view": "stream_feature_view",
    "batch_feature_view": "feature_view",
    "OnDemandFeatureView": "on_demand_feature_view",
    "on_demand_feature_view": "on_demand_feature_view",
    "FeatureService": "feature_service",
    "Permission": "permission",
    "Project": "project",
}
"""Classes and decorators of Feast, and the kind of what they make; any class that ends in ``Source`` makes a source."""


def definition_sites(files: Iterable[Path], *, root: Path) -> Mapping[str, str]:
    """``kind:name`` to ``file:line``, files relative to ``root``; a file that is no Python says nothing."""
    sites: dict[str, str] = {}
    for path in files:
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, OSError):
            continue
        name = path.resolve().relative_to(root.resolve()).as_posix()
        for key, line in _defined(tree):
            sites.setdefault(key, f"{name}:{line}")
    return sites


def _defined(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield from _decorated(node)
        elif isinstance(node, ast.Call):
            kind, name = _kind(node.func), _name(node)
            if kind is not None and name is not None:
                yield f"{kind}:{name}", node.lineno


def _decorated(node: ast.FunctionDef) -> Iterator[tuple[str, int]]:
    for one in node.decorator_list:
        call = one.func if isinstance(one, ast.Call) else one
        kind = _kind(call)
        if kind is not None:
            said = _name(one) if isinstance(one, ast.Call) else None
            yield f"{kind}:{said or node.name}", one.lineno


def _kind(function: ast.expr) -> str | None:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return "data_source" if name.endswith("Source") else KIND_OF_CLASS.get(name)


def _name(call: ast.Call) -> str | None:
    """The name that the call gives: its keyword ``name``, else its first argument, where that is a text."""
    given = next((one.value for one in call.keywords if one.arg == "name"), call.args[0] if call.args else None)
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None
