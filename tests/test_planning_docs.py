"""The page on planning: its examples are read by the programs that they are for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from governance.policy_cases import read_cases
from governance.policy_test import run_cases

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "planning.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
POLICY = """\
version: 1
zones: {EU: [DE, FR]}
places: [{match: "file://**", zone: DE}, {match: "redis://cache-fr*:6379/*", zone: FR}]
packs: [residency, ownership]
"""


def test_the_example_of_a_policy_s_tests_passes(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "labs.yaml").write_text(next(one for one in BLOCKS if "tests:" in one))
    assert run_cases(read_cases(tmp_path / "tests")).failed == 0


@pytest.mark.parametrize("name", ["on", "plan", "repos"])
def test_the_snippets_for_ci_name_commands_that_exist(name: str) -> None:
    from typer.main import get_command

    from api.cli.main import app

    document: Any = next(found for one in BLOCKS if name in (found := yaml.load(one, Loader=yaml.BaseLoader)))
    commands: Any = get_command(app)
    lines = re.findall(r"provender ([a-z]+)(?: ([a-z]+))?", yaml.safe_dump(document))
    assert ("plan", "") in [(one, two if one == "policy" else "") for one, two in lines]
    for one, two in lines:
        command = commands.commands[one]
        assert two in command.commands if one == "policy" else True
