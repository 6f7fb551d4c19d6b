"""The examples on the format's page do what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "formats" / "td1.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(EXAMPLES[number], "td1.md", "exec"), {})
    printed = capsys.readouterr().out.strip()
    assert not printed or f"`{printed}`" in PAGE


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2
