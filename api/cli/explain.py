"""``provender explain OBJECT``: why an object is judged as it is, and the nearest change that would help."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from api.cli.console import HERE, JsonOption, RepoOption, print_json
from api.cli.plan import FileOption, proposed


def explain(
    name: Annotated[str, typer.Argument(metavar="OBJECT", help="kind:name, or a name that only one object has.")],
    repo: RepoOption = HERE,
    feature_store_yaml: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain where the labels of an object come from, what denies it, and the nearest change that would allow it."""
    from governance.explain import explain as explained

    answer = explained(proposed(repo, feature_store_yaml).situation, name)
    if as_json:
        print_json(answer.as_json())
    else:
        sys.stdout.write(answer.text() + "\n")
    raise typer.Exit(answer.exit_code)
