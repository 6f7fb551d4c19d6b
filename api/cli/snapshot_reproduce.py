"""``provender snapshot reproduce``: the recorded retrieval, run again, and what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.console import HERE, JsonOption, RepoOption, print_json, stderr, stdout

if TYPE_CHECKING:
    from lineage.reproduction import Reproduction

NameArgument = Annotated[str, typer.Argument(help="td1-sha256:<hex>, or random:<hex> of a small snapshot.")]
RunOption = Annotated[str | None, typer.Option("--run", help="The run to repeat; the first if not given.")]


def reproduce(name: NameArgument, repo: RepoOption = HERE, run: RunOption = None, as_json: JsonOption = False) -> None:
    """Run a recorded retrieval again, over the recorded states of its sources where they still exist.

    Exit code 0: the same rows to the bit; 1: other rows came out, or a source is gone.
    """
    from api.assembly import opened

    with stderr.status("running the retrieval again"):
        from api.feast.reproduction import reproduce as run_again  # Feast takes seconds

        found = run_again(opened(repo.resolve()), name, run)
    if as_json:
        print_json(found.as_json())
    else:
        _print(found)
    if not found.exact:
        raise typer.Exit(1)


def _print(found: Reproduction) -> None:
    for source in found.sources:
        _line(f"source       {source.name}: {source.standing}")
    _line(f"definitions  {found.definitions}")
    _line(f"recorded     {found.recorded_digest}, run {found.recorded_run}")
    _line(f"now          {found.digest or 'nothing could be read'}{f', run {found.run}' if found.run else ''}")
    for difference in found.differs:
        _line(f"differs      {difference}")
    for reason in found.reasons:
        _line(f"{'not as then' if found.exact else 'may be why':<12} {reason}")
    if found.exact:
        _line("Bit-exact: the retrieval gives the same rows again.")
    elif found.found:
        _line(f"Not the same rows. Which differ: provender snapshot diff {found.snapshot} {found.found}")
    else:
        _line("Not reproducible: a source is gone. Restore it from a backup and run this again.")


def _line(text: str) -> None:
    stdout.print(text, markup=False, highlight=False, soft_wrap=True)
