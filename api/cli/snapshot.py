"""``provender snapshot``: what was retrieved, and whether it still is what was recorded."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from api.cli.console import HERE, JsonOption, RepoOption, print_json, stdout

app = typer.Typer(help="The snapshots: results of point-in-time retrievals.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(help="td1-sha256:<hex>, or random:<hex> of a small snapshot.")]


@app.command("list")
def list_(repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """List the stored snapshots."""
    from api.assembly import opened

    snapshots = opened(repo.resolve()).snapshots
    found: list[dict[str, Any]] = [
        {"snapshot": name, "rows": snapshots.manifest(name)["rows"], "runs": list(snapshots.runs(name))}
        for name in snapshots.names()
    ]
    if as_json:
        print_json(found)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("snapshot", "rows", "runs"):
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(one["snapshot"], f"{one['rows']:,}", str(len(one["runs"])))
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
    """Show the manifest of a snapshot: what was asked, of which sources, with which result."""
    from api.assembly import opened

    manifest = opened(repo.resolve()).snapshots.manifest(name, run)
    if as_json:
        print_json(manifest)
        return
    for key in ("digest", "rows", "run", "created", "definitions"):
        stdout.print(f"{key:<12} {manifest[key]}", markup=False, highlight=False, soft_wrap=True)
    for source in manifest["sources"]:
        stdout.print(
            f"source       {source['name']} ({source['state']})", markup=False, highlight=False, soft_wrap=True
        )
    for column, nulls in manifest["nulls"].items():
        stdout.print(f"column       {column}, {nulls:,} null", markup=False, highlight=False, soft_wrap=True)


@app.command()
def verify(name: NameArgument, repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """Read all rows of a snapshot and compare their digest with its name."""
    from api.assembly import opened

    snapshots = opened(repo.resolve()).snapshots
    rows = sum(batch.num_rows for batch in snapshots.batches(name))
    if as_json:
        print_json({"snapshot": name, "ok": True, "rows": rows})
    else:
        stdout.print(f"{name}: {rows:,} rows read, and they give the recorded digest.", highlight=False, soft_wrap=True)
