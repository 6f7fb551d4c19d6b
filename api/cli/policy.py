"""``provender policy``: a policy's own tests, and what a change of it means."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import HERE, JsonOption, RepoOption, print_json
from api.cli.plan import FileOption

app = typer.Typer(help="The policy: its own tests, and what a change of it means.", no_args_is_help=True)


@app.command("test")
def run_tests(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Directory of YAML files with tests.")],
    policy: Annotated[
        Path | None, typer.Option("--policy", help="Test this policy instead of the one each file names.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the tests of a policy: small registries and the verdicts they expect; exit with 1 where one fails."""
    from governance.policy_cases import read_cases
    from governance.policy_test import run_cases

    report = run_cases(read_cases(directory, policy=policy))
    if as_json:
        print_json(report.as_json())
    else:
        sys.stdout.write(report.text() + "\n")
    raise typer.Exit(report.exit_code)


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The policy file to compare with.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The policy file that would count.")],
    repo: RepoOption = HERE,
    feature_store_yaml: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what NEW newly denies and newly allows on the registry as it is; exit with 1 where it newly denies."""
    from datetime import UTC, datetime

    from api.demo.quiet import quiet_libraries
    from api.places import repository_places
    from governance.policy_diff import policy_diff
    from governance.policy_file import load_policy

    before, after = load_policy(old), load_policy(new)
    with quiet_libraries():
        from api.feast.plan import registered

        definitions, settings = registered(repo, file=feature_store_yaml)
    today = datetime.now(UTC).date()
    found = policy_diff(definitions, before, after, places=repository_places(settings), today=today)
    if as_json:
        print_json(found.as_json())
    else:
        sys.stdout.write(found.text() + "\n")
    raise typer.Exit(found.exit_code)
