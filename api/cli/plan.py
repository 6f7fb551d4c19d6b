"""``provender plan``: what the next ``feast apply`` would change, and what the policy says of it."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, assert_never

import typer

from api.cli.console import HERE, JsonOption, RepoOption, stderr

if TYPE_CHECKING:
    from api.feast.plan import Proposal
    from governance.plan import Plan


class Form(StrEnum):
    """Forms of a plan."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"


FileOption = Annotated[
    Path | None, typer.Option("--feature-store-yaml", "-f", help="Another configuration, as feast -f takes it.")
]


def plan(
    repo: RepoOption = HERE,
    form: Annotated[Form, typer.Option("--format", help="text, json, sarif (2.1.0) or junit.")] = Form.TEXT,
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; stdout if not given.")] = None,
    facts: Annotated[
        Path | None, typer.Option("--facts", help="Also write the facts of every object here, for OPA or Conftest.")
    ] = None,
    feature_store_yaml: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the next feast apply would change and be told, without applying; exit with 1 where it is denied."""
    from governance.canonical import canonical_json
    from lineage.objects import replace_bytes

    proposal = proposed(repo, feature_store_yaml)
    made = proposal.plan()
    if facts is not None:
        from governance.exported_facts import exported_facts

        known = exported_facts(proposal.definitions, proposal.policy, places=proposal.places, today=proposal.today)
        replace_bytes(facts, canonical_json(known))
        stderr.print(f"Wrote {facts}", highlight=False, soft_wrap=True)
    text = _rendered(proposal, made, Form.JSON if as_json else form)
    if output is None:
        sys.stdout.write(text)
    else:
        replace_bytes(output, text.encode())
        stderr.print(f"Wrote {output}", highlight=False, soft_wrap=True)
    raise typer.Exit(made.exit_code)


def proposed(repo: Path, file: Path | None) -> Proposal:
    """What feast apply would propose; what libraries say while they load is not the answer."""
    from api.demo.quiet import quiet_libraries

    with quiet_libraries():
        from api.feast.plan import propose

        return propose(repo, file=file)


def _rendered(proposal: Proposal, made: Plan, form: Form) -> str:
    match form:
        case Form.TEXT:
            from governance.output.text import as_text

            return as_text(made) + "\n"
        case Form.JSON:
            from governance.output.document import as_document

            return _json(as_document(made))
        case Form.SARIF:
            return _json(_sarif(proposal, made))
        case Form.JUNIT:
            from governance.output.junit import as_junit

            return as_junit(made)
        case _:
            assert_never(form)


def _sarif(proposal: Proposal, made: Plan) -> Any:
    from importlib.metadata import version

    from api.settings import FEAST_FILE
    from governance.output.sarif import as_sarif

    repo = proposal.settings.repo
    checkout = next((one for one in (repo, *repo.parents) if (one / ".git").exists()), repo)
    inside = repo.relative_to(checkout).as_posix()
    prefix = "" if inside == "." else f"{inside}/"
    rules = proposal.policy.rules
    return as_sarif(made, rules=rules, version=version("provender"), prefix=prefix, otherwise=FEAST_FILE)


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
