"""``provender snapshot``: what was retrieved, and whether it still is what was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from api.cli.console import HERE, JsonOption, RepoOption, print_json, stdout
from api.cli.snapshot_diff import diff
from api.cli.snapshot_reproduce import reproduce

if TYPE_CHECKING:
    from lineage.recorded_snapshots import RecordedSnapshots
    from lineage.reproduction import SourceNow

app = typer.Typer(help="The snapshots: results of point-in-time retrievals.", no_args_is_help=True)
app.command()(reproduce)
app.command()(diff)
NameArgument = Annotated[str, typer.Argument(help="td1-sha256:<hex>, or random:<hex> of a small snapshot.")]


@app.command("list")
def list_(repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """List the snapshots, and whether each is recorded."""
    found = _recorded(repo).list()
    if as_json:
        print_json(
            [
                {"snapshot": one.name, "standing": one.standing, "rows": one.rows, "runs": list(one.runs)}
                for one in found
            ]
        )
        return
    table = Table(box=None, pad_edge=False)
    for column in ("snapshot", "standing", "rows", "runs"):
        table.add_column(column, overflow="fold")
    for one in found:
        rows = "unknown" if one.rows is None else f"{one.rows:,}"
        table.add_row(one.name, one.standing, rows, str(len(one.runs)))
    stdout.print(table if found else "No snapshot is stored yet.")


@app.command()
def show(
    name: NameArgument,
    repo: RepoOption = HERE,
    run: Annotated[
        str | None, typer.Option("--run", help="The run whose manifest to show; the first if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the recorded manifest of a snapshot: what was asked, of which sources, with which result."""
    manifest = _recorded(repo).manifest(name, run).document
    if as_json:
        print_json(dict(manifest))
        return
    for key in ("digest", "rows", "run", "created", "definitions"):
        stdout.print(f"{key:<12} {manifest[key]}", markup=False, highlight=False, soft_wrap=True)
    stdout.print(f"{'kept':<12} {_kept(manifest.get('retention'))}", highlight=False, soft_wrap=True)
    for source in manifest["sources"]:
        stdout.print(
            f"source       {source['name']} ({source['state']})", markup=False, highlight=False, soft_wrap=True
        )
    for column, nulls in manifest["nulls"].items():
        stdout.print(f"column       {column}, {nulls:,} null", markup=False, highlight=False, soft_wrap=True)


@app.command()
def verify(
    name: NameArgument,
    repo: RepoOption = HERE,
    sources: Annotated[
        bool, typer.Option("--sources", help="Read the sources again, too: do they hold what was recorded?")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare manifests and rows of a snapshot with what the signed records of its retrievals say."""
    rows = sum(batch.num_rows for batch in _recorded(repo).batches(name))
    found = _sources(repo, name) if sources else ()
    ok = all(one.standing == "as recorded" for one in found)
    if as_json:
        stated = {"sources": [asdict(one) for one in found]} if sources else {}
        print_json({"snapshot": name, "ok": ok, "rows": rows, **stated})
    else:
        stdout.print(f"{name}: {rows:,} rows read, and they give the recorded digest.", highlight=False, soft_wrap=True)
        for one in found:
            text = f"source {one.name}: {one.standing}{f'; {one.detail}' if one.detail else ''}"
            stdout.print(text, markup=False, highlight=False, soft_wrap=True)
    if not ok:
        raise typer.Exit(1)


def _sources(repo: Path, name: str) -> tuple[SourceNow, ...]:
    """Each recorded source beside what is in its place today, every byte read again."""
    from api.assembly import opened
    from api.feast.reproduction import sources_of_recorded  # Feast takes seconds

    return sources_of_recorded(opened(repo.resolve(), create=False), name)


def _kept(retention: Mapping[str, Any] | None) -> str:
    if retention is None:
        return "without object lock: whoever may delete objects may delete the rows"
    return f"by object lock, mode {retention['mode']}, {retention['days']} days from when it was stored"


def _recorded(repo: Path) -> RecordedSnapshots:
    from api.assembly import opened
    from lineage.recorded_snapshots import RecordedSnapshots

    parts = opened(repo.resolve(), create=False)
    return RecordedSnapshots(parts.snapshots, parts.records)
