"""``provender ledger``: the checkpoint, one record's proof, and a complete audit."""

from __future__ import annotations

import base64
import sys
from typing import Annotated

import typer

from api.cli.console import HERE, JsonOption, RepoOption, print_json, stderr, stdout

app = typer.Typer(help="The ledger of everything that was recorded.", no_args_is_help=True)


@app.command()
def checkpoint(repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """Give every recorded act its leaf and print the signed checkpoint."""
    from api.assembly import opened

    signed = opened(repo.resolve()).ledger.sequence()
    if as_json:
        print_json({"size": signed.size, "root": base64.b64encode(signed.root).decode(), "note": signed.note.decode()})
    else:
        sys.stdout.write(signed.note.decode())


@app.command()
def prove(
    record: Annotated[str, typer.Argument(help="Id of a record.")], repo: RepoOption = HERE, as_json: JsonOption = False
) -> None:
    """Print the proof that a record has its leaf under the last checkpoint."""
    from api.assembly import opened

    proof = opened(repo.resolve(), create=False).ledger.prove(record)
    hashes = [base64.b64encode(each).decode() for each in proof.hashes]
    if as_json:
        print_json({"index": proof.index, "tree_size": proof.tree_size, "leaf": proof.leaf.decode(), "hashes": hashes})
        return
    stdout.print(f"leaf {proof.index} of {proof.tree_size}: {proof.leaf.decode()}", markup=False, soft_wrap=True)
    for each in hashes:
        stdout.print(each, markup=False)


@app.command()
def audit(repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """Replay the whole ledger and compare it with the database and the copy outside it."""
    from api.assembly import opened

    result = opened(repo.resolve(), create=False).ledger.audit()
    findings = [f"{one.wrong.value}: {one.where}: {one.message}" for one in result.findings]
    if as_json:
        print_json({"ok": not findings, "size": result.size, "pending": result.pending, "findings": findings})
    elif findings:
        for one in findings:
            stderr.print(one, style="red", markup=False, soft_wrap=True)
    elif not result.size:
        stdout.print("The ledger is empty: nothing was recorded yet.")
    else:
        stdout.print(f"The ledger is whole: {result.size} leaves replayed, every one as it was recorded.")
    raise typer.Exit(1 if findings else 0)
