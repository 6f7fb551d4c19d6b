"""``provender verify``: check a bundle offline, by the auditor's own trust file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from api.cli.console import JsonOption, print_json, stdout
from governance.errors import WrongQuestion

if TYPE_CHECKING:
    from audit.verify import Verification

_MICROSECONDS = re.compile(r"\.[0-9]{6}Z")
_UUID = "00000000-0000-0000-0000-000000000000"
_STYLES = {"OK": "green", "FAILED": "bold red", "NOT CHECKED": "yellow"}


def verify(
    bundle: Annotated[Path, typer.Argument(help="The bundle.")],
    trust: Annotated[Path, typer.Option("--trust", help="Your trust file; never one that came with the bundle.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Directory with snapshots/ and artifacts/, to recompute.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a bundle offline: signatures, ledger proofs, and the chain of the endpoint."""
    from audit.verify import VerifyUsage, verify_bundle

    try:
        result = verify_bundle(bundle, trust=trust, recompute=_recompute(data))
    except VerifyUsage as error:
        raise WrongQuestion(str(error)) from error
    if as_json:
        print_json(_document(result))
    else:
        _print(result)
    raise typer.Exit(0 if result.ok else 1)


def _recompute(data: Path | None) -> Any:
    if data is None:
        return None
    from audit.recompute import DataDirectory  # reads Parquet, which takes pyarrow

    return DataDirectory(data)


def _document(result: Verification) -> dict[str, Any]:
    steps = [{"number": s.number, "name": s.name, "outcome": s.outcome.value, "reason": s.reason} for s in result.steps]
    links = [
        {
            "from": {"kind": one.link.source.kind, "name": one.link.source.name},
            "to": {"kind": one.link.target.kind, "name": one.link.target.name},
            "relation": one.link.relation,
            "digest": one.link.digest or None,
            "level": one.link.level or None,
            "evidence": one.evidence,
            "gap": one.link.gap or None,
        }
        for one in result.links
    ]
    said = {"ok": result.ok, "level": result.level, "as_of": result.as_of, "gaps": result.gaps}
    return {**said, "steps": steps, "links": links}


def _print(result: Verification) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("", "step", "result", "what was checked"):
        table.add_column(column, overflow="fold")
    for step in result.steps:
        outcome = step.outcome.value
        table.add_row(str(step.number), step.name, f"[{_STYLES[outcome]}]{outcome}[/]", _plain(step.reason))
    stdout.print(table)
    links = Table(title="The chain", title_justify="left", box=None, pad_edge=False)
    for column in ("from", "", "to", "evidence"):
        links.add_column(column, overflow="fold")
    for one in result.links:
        link = one.link
        said = f"{link.level}; {_plain(_MICROSECONDS.sub('Z', one.evidence))}"
        links.add_row(
            _plain(f"{link.source.kind} {_short(link.source.name)}"),
            _plain(link.relation),
            _plain(f"{link.target.kind} {_short(link.target.name)}"),
            f"[yellow]GAP: {_plain(link.gap)}[/]" if link.gap else said,
        )
    stdout.print(links)
    style = "bold green" if result.ok else "bold red"
    stdout.print(
        "This does not prove that the records are complete, that the sources are true, or that the host was honest."
    )
    stdout.print(f"As of {_plain(result.as_of)}:")
    gaps = f"{result.gaps} gap{'' if result.gaps == 1 else 's'} in {len(result.links)} links"
    stdout.print(f"[{style}]{result.level}[/], {f'[yellow]{gaps}[/]' if result.gaps else gaps}", highlight=False)


def _short(name: str) -> str:
    """A name that fits a column: the head of a digest or id, the last part of a path."""
    head, colon, digits = name.replace("key ", "key:").partition(":")
    if colon and "/" not in digits:
        return f"{head}:{digits[:12]}…"
    if "/" in name:
        return name.rsplit("/", 1)[1]
    return " ".join(
        word[:8] if len(word) == len(_UUID) and word.count("-") == _UUID.count("-") else word for word in name.split()
    )


def _plain(text: str) -> str:
    """Words of a bundle are words: no markup of theirs is ours."""
    return text.replace("[", r"\[")
