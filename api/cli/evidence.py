"""``provender endpoints``, ``report``, ``bundle`` and ``trust``: what was deployed, and the evidence for it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from api.cli.console import HERE, JsonOption, RepoOption, print_json, stderr, stdout
from governance.errors import ConfigurationError

EndpointArgument = Annotated[str, typer.Argument(help="Name of the endpoint; `provender endpoints` lists them.")]


class Format(StrEnum):
    """Forms of a report."""

    HTML = "html"
    JSON = "json"


def endpoints(repo: RepoOption = HERE, as_json: JsonOption = False) -> None:
    """List every endpoint that was ever recorded, with what it loaded."""
    from api.assembly import opened
    from api.reports import endpoint_list

    found = endpoint_list(opened(repo.resolve(), create=False))
    if as_json:
        print_json([{"endpoint": e.name, "state": e.state, "artifact": e.weights, "since": e.when} for e in found])
        return
    table = Table(box=None, pad_edge=False)
    for column in ("endpoint", "state", "weights", "since"):
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(one.name, one.state, one.weights or "none", one.when)
    stdout.print(table if found else "No endpoint was recorded yet.")


def report(
    endpoint: EndpointArgument,
    repo: RepoOption = HERE,
    form: Annotated[Format, typer.Option("--format", help="html or json.")] = Format.HTML,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; stdout if not given.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report of an endpoint: what it was made from, link by link, and what that does not prove."""
    from api.assembly import opened
    from api.reports import endpoint_report, rendered
    from lineage.objects import replace_bytes

    made = endpoint_report(opened(repo.resolve(), create=False), endpoint)
    data = rendered(made, form="json" if as_json else form.value)
    if output is None:
        sys.stdout.write(data.decode() + ("" if data.endswith(b"\n") else "\n"))
        return
    replace_bytes(output, data)
    stderr.print(f"Wrote {output}", highlight=False)


def bundle(
    endpoint: EndpointArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="The bundle to write.")],
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write everything that proves the report of an endpoint into one file that anyone can check offline."""
    from api.assembly import opened
    from api.reports import write_endpoint_bundle

    write_endpoint_bundle(opened(repo.resolve(), create=False), endpoint, output)
    if as_json:
        print_json({"endpoint": endpoint, "bundle": str(output)})
    else:
        stderr.print(
            f"Wrote {output}. Check it with: provender verify {output} --trust TRUST", highlight=False, soft_wrap=True
        )


trust_app = typer.Typer(help="The trust file that an auditor verifies with.", no_args_is_help=True)


@trust_app.callback()
def _trust() -> None:
    """The trust file that an auditor verifies with."""


@trust_app.command("export")
def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; stdout if not given.")] = None,
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write the public keys an auditor needs, and print their fingerprints to read aloud."""
    from api.assembly import opened
    from audit.trust import trust_file, trust_fingerprints
    from lineage.objects import replace_bytes

    parts = opened(repo.resolve(), create=False)
    data = trust_file(parts.keys, origin=parts.settings.origin)
    if as_json and output is not None:
        raise ConfigurationError(
            "--json prints the trust file on stdout and --output writes it to a file. Use one of the two."
        )
    if output is None:
        sys.stdout.write(data.decode())
    else:
        replace_bytes(output, data)
        stderr.print(f"Wrote {output}", highlight=False)
    for what, fingerprint in trust_fingerprints(data):
        stderr.print(f"{what}: {fingerprint}", highlight=False, soft_wrap=True)
