"""``provender registry``: what was defined when, by whom, and what differed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from api.cli.console import HERE, JsonOption, RepoOption, print_json, stdout
from api.cli.plan import FileOption

if TYPE_CHECKING:
    from api.feast.registry_history import RegistryHistory, RegistryVersion

app = typer.Typer(help="The history of the definitions.", no_args_is_help=True)

_NAMED = "A definition version, its first digits (six or more), or head."
_DIGITS = 16


@app.command()
def log(repo: RepoOption = HERE, feature_store_yaml: FileOption = None, as_json: JsonOption = False) -> None:
    """List every version that was let in, and the teardowns, the newest first."""
    versions = _history(repo, feature_store_yaml).versions[::-1]
    if as_json:
        print_json([one.as_json() for one in versions])
        return
    table = Table("Time", "By", "What", "Definitions", "Policy")
    for one in versions:
        table.add_row(
            f"{one.time:%Y-%m-%d %H:%M:%S}Z", one.actor, one.gate, one.definitions[:_DIGITS], one.policy[:_DIGITS]
        )
    stdout.print(table)


@app.command()
def show(
    version: Annotated[str, typer.Argument(help=_NAMED)] = "head",
    repo: RepoOption = HERE,
    feature_store_yaml: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a version defined, and by which recorded decision."""
    history = _history(repo, feature_store_yaml)
    _show(history, history.named(version), as_json=as_json)


@app.command("as-of")
def as_of(
    time: Annotated[str, typer.Argument(help="A date or time (ISO 8601); UTC where it names no zone.")],
    repo: RepoOption = HERE,
    feature_store_yaml: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was defined at a moment."""
    moment = _moment(time)
    history = _history(repo, feature_store_yaml)
    _show(history, history.at(moment), as_json=as_json)


@app.command()
def policy(
    version: Annotated[str, typer.Argument(help=_NAMED)] = "head",
    repo: RepoOption = HERE,
    feature_store_yaml: FileOption = None,
) -> None:
    """Print the policy file that allowed a version, byte for byte."""
    history = _history(repo, feature_store_yaml)
    sys.stdout.buffer.write(history.policy(history.named(version)))


@app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help=_NAMED)],
    new: Annotated[str, typer.Argument(metavar="NEW", help=_NAMED)] = "head",
    repo: RepoOption = HERE,
    feature_store_yaml: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what one version defines otherwise than another; exit with 1 where something differs."""
    from governance.output.text import changes_text
    from governance.plan import changes

    history = _history(repo, feature_store_yaml)
    before, after = history.named(old), history.named(new)
    found = tuple(changes(history.definitions(before), history.definitions(after)))
    if as_json:
        listed = [{"action": one.action, "object": one.object, "details": list(one.details)} for one in found]
        print_json({"old": before.definitions, "new": after.definitions, "changes": listed})
    elif found:
        sys.stdout.write("\n".join(changes_text(found)) + "\n")
    else:
        sys.stdout.write("Both versions define the same.\n")
    raise typer.Exit(1 if found else 0)


def _history(repo: Path, file: Path | None) -> RegistryHistory:
    from api.demo.quiet import quiet_libraries

    with quiet_libraries():
        from api.feast.registry_history import open_history

        return open_history(repo, file=file)


def _show(history: RegistryHistory, version: RegistryVersion, *, as_json: bool) -> None:
    objects = [one for one in history.definitions(version).assets if not one.system]
    if as_json:
        listed: list[dict[str, Any]] = [
            {"object": one.key, "owner": one.owner, "definition": one.definition} for one in objects
        ]
        print_json({**version.as_json(), "objects": listed})
        return
    stdout.print(f"definitions {version.definitions}", highlight=False, soft_wrap=True)
    let_in = f"let in {version.time:%Y-%m-%d %H:%M:%S}Z by {version.actor}, record {version.record}"
    stdout.print(let_in, highlight=False, markup=False, soft_wrap=True)
    table = Table("Object", "Owner", "Labels")
    for one in objects:
        labels = " ".join(f"{name}={value}" for name, value in sorted(one.tags.items()))
        table.add_row(one.key, one.owner or "", labels)
    stdout.print(table)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no time. Expected ISO 8601, as in 2026-11-24T09:30:00Z.") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
