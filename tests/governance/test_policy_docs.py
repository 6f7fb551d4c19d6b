from __future__ import annotations

import re
from pathlib import Path

import pytest

from governance.facts import BY_KIND, COMMON
from governance.label_types import BUILT_IN as LABELS
from governance.pack_labels import PACK_LABELS
from governance.policy_file import KEYS, parse_policy
from governance.rules.packs import BUILT_IN, PACKS
from governance.verdict import GATES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "policy.md").read_text()
PACK_WORDS = sorted({label.name for labels in PACK_LABELS.values() for label in labels})
FORMAT = (DOCS / "formats" / "policy.md").read_text()


@pytest.mark.parametrize("rule", BUILT_IN.values(), ids=lambda rule: str(rule.id))
def test_every_rule_is_there_with_its_help_and_gates(rule: object) -> None:
    from governance.rules.interface import Rule

    assert isinstance(rule, Rule)
    gates = "all gates" if rule.gates == set(GATES) else ", ".join(gate for gate in GATES if gate in rule.gates)
    assert f"### `{rule.id}`\n\n{rule.help}\n\nChecked at: {gates}.\n" in PAGE


def test_no_rule_is_there_that_does_not_exist() -> None:
    assert set(re.findall(r"^### `(.+)`$", PAGE, flags=re.MULTILINE)) == set(BUILT_IN)


def test_every_fact_is_there_with_type_and_meaning() -> None:
    for name, fact in COMMON.items():
        assert f"| `{name}` | `{fact.type}` | {fact.help} |" in PAGE
    for kind, facts in BY_KIND.items():
        for name, fact in facts.items():
            assert f"| `{kind}` | `{name}` | `{fact.type}` | {fact.help} |" in PAGE


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL))
def test_every_example_is_a_policy(example: str) -> None:
    assert parse_policy(example.encode(), name="policy.yaml").rules


@pytest.mark.parametrize("word", [*GATES, *PACKS, *LABELS, *PACK_WORDS])
def test_every_gate_pack_and_label_is_explained(word: str) -> None:
    assert f"`{word}`" in PAGE


@pytest.mark.parametrize("key", KEYS)
def test_the_format_names_every_key(key: str) -> None:
    assert f"| `{key}` |" in FORMAT
