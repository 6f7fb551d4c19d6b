"""YAML that knows its lines: each value is read from its node, and each error names file and line.

Scalars follow YAML 1.2's core schema, in which ``NO`` is Norway and ``2027-01-31`` is text. Anchors,
aliases, explicit tags and duplicate keys are refused: a policy says each thing once, in plain sight.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NoReturn

import yaml

from governance.errors import PolicyError

_PREFIX = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalar types of YAML 1.2 and without aliases."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own protocol)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call] # the stubs leave it bare
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.composer.ComposerError(None, None, "found an anchor or alias; write it out", event.start_mark)
        if getattr(event, "tag", None):
            raise yaml.composer.ComposerError(None, None, "found an explicit tag; leave it out", event.start_mark)
        return super().compose_node(parent, index)


_Loader.add_implicit_resolver(f"{_PREFIX}null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(f"{_PREFIX}bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF"))
_Loader.add_implicit_resolver(f"{_PREFIX}int", re.compile(r"[-+]?[0-9]+\Z"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    f"{_PREFIX}float", re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z"), list("-+.0123456789")
)


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a YAML file, with its place."""

    yaml: yaml.Node
    name: str
    """The file, as errors print it."""

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.name}:{self.yaml.start_mark.line + 1}"

    def refuse(self, text: str) -> NoReturn:
        """Raise PolicyError with file, line and ``text``."""
        raise PolicyError(f"{self.where}: {text}")

    def entries(self, what: str) -> list[tuple[Node, Node]]:
        """Key and value nodes of a mapping whose keys are texts, each once."""
        if not isinstance(self.yaml, yaml.MappingNode):
            self.refuse(f"found {self.kind} as {what}; expected a mapping (key: value)")
        seen: dict[str, str] = {}
        pairs = [(Node(key, self.name), Node(value, self.name)) for key, value in self.yaml.value]
        for key, _ in pairs:
            name = key.text(f"key of {what}")
            if name in seen:
                key.refuse(f"found key {name!r} twice in {what}, first at {seen[name]}; keep one of the two")
            seen[name] = key.where
        return pairs

    def mapping(self, what: str, *, allowed: Collection[str], required: Collection[str] = ()) -> Mapping[str, Node]:
        """A mapping with known keys only, the required ones among them."""
        pairs = self.entries(what)
        for key, _ in pairs:
            if key.yaml.value not in allowed:
                key.refuse(f"found unknown key {key.yaml.value!r} in {what}; expected one of: {', '.join(allowed)}")
        found = {str(key.yaml.value): value for key, value in pairs}
        missing = [name for name in required if name not in found]
        if missing:
            self.refuse(f"{what} lacks {', '.join(missing)}; write it")
        return found

    def items(self, what: str) -> list[Node]:
        """The members of a list."""
        if not isinstance(self.yaml, yaml.SequenceNode):
            self.refuse(f"found {self.kind} as {what}; expected a list ([a, b])")
        return [Node(one, self.name) for one in self.yaml.value]

    def text(self, what: str) -> str:
        """A text that is not empty."""
        if not isinstance(self.yaml, yaml.ScalarNode) or self.yaml.tag != f"{_PREFIX}str":
            self.refuse(f"found {self.kind} as {what}; expected text (quote it, if it is meant as text)")
        value = str(self.yaml.value)
        if not value.strip():
            self.refuse(f"found an empty text as {what}; write it out")
        return value

    def texts(self, what: str) -> tuple[str, ...]:
        """A list of texts, each once."""
        nodes = self.items(what)
        values = [node.text(f"member of {what}") for node in nodes]
        for place, value in enumerate(values):
            if value in values[:place]:
                nodes[place].refuse(f"found {value!r} twice in {what}; keep one of the two")
        return tuple(values)

    def choice(self, what: str, options: Collection[str]) -> str:
        """A text that is one of ``options``."""
        value = self.text(what)
        if value not in options:
            self.refuse(f"found {value!r} as {what}; expected one of: {', '.join(options)}")
        return value

    def day(self, what: str) -> date:
        """A calendar day, ``YYYY-MM-DD``."""
        value = self.text(what)
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            self.refuse(f"found {value!r} as {what}; expected a day, YYYY-MM-DD")
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.refuse(f"found {value!r} as {what}, a day that no calendar has; expected YYYY-MM-DD")

    @property
    def kind(self) -> str:
        """What the value is, in the words of an error."""
        if isinstance(self.yaml, yaml.ScalarNode):
            plain = self.yaml.tag.removeprefix(_PREFIX)
            return "nothing" if plain == "null" else f"{self.yaml.value!r} ({'text' if plain == 'str' else plain})"
        return "a list" if isinstance(self.yaml, yaml.SequenceNode) else "a mapping"


def read_yaml(content: bytes, *, name: str) -> Node:
    """The one document in ``content``. Raises PolicyError with file and line where it is no YAML in UTF-8."""
    try:
        root = yaml.compose(content.decode("utf-8"), Loader=_Loader)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise PolicyError(f"{name}:{line}: found a byte that is not UTF-8; save the file as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise PolicyError(f"{name}:{mark.line + 1 if mark else 1}: not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise PolicyError(f"{name}:1: not YAML: {str(error).splitlines()[0]}") from error
    if root is None:
        raise PolicyError(f"{name}:1: the file is empty; a policy begins with 'version: 1'")
    return Node(root, name)
