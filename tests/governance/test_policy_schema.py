from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import governance
from governance.assets import KINDS
from governance.policy_file import KEYS
from governance.rules.packs import PACKS
from governance.verdict import GATES
from governance.yaml_nodes import Node, read_yaml
from tests.governance.samples import ACCEPTED, REFUSED_BY_BOTH, REFUSED_BY_PARSER

SCHEMA = json.loads((Path(governance.__file__).parent / "policy.schema.json").read_text())
TEXTUAL = ("twice", "not YAML")


def _plain(node: Node) -> Any:
    """The document as an editor sees it, by YAML 1.2."""
    if isinstance(node.yaml, yaml.MappingNode):
        return {key.value: _plain(Node(value, node.name)) for key, value in node.yaml.value}
    if isinstance(node.yaml, yaml.SequenceNode):
        return [_plain(Node(one, node.name)) for one in node.yaml.value]
    return int(node.yaml.value) if node.yaml.tag.endswith(":int") else node.yaml.value


def _valid(text: str) -> bool:
    document = _plain(read_yaml(text.encode(), name="policy.yaml")) if text else None
    return not list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(document))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_the_schema_accepts_what_the_parser_accepts(text: str) -> None:
    assert _valid(text)


@pytest.mark.parametrize("text", REFUSED_BY_BOTH)
def test_the_schema_refuses_a_wrong_structure_as_the_parser_does(text: str) -> None:
    assert not _valid(text)


@pytest.mark.parametrize(
    "text", [text for text, message in REFUSED_BY_PARSER.items() if not any(word in message for word in TEXTUAL)]
)
def test_what_only_the_parser_can_refuse_has_the_structure_of_a_policy(text: str) -> None:
    assert _valid(text)


def test_the_schema_knows_the_same_words_as_the_parser() -> None:
    assert set(SCHEMA["properties"]) == set(KEYS)
    assert SCHEMA["$defs"]["gate"]["enum"] == list(GATES)
    assert SCHEMA["properties"]["packs"]["items"]["enum"] == list(PACKS)
    assert SCHEMA["properties"]["rules"]["items"]["properties"]["on"]["enum"] == list(KINDS)
