"""``provender``: the commands, and the one place where errors become exit codes.

0 yes; 1 the answer is no; 2 the question was wrong. Nothing heavy is imported before a command runs.
"""

from __future__ import annotations

import sys

import typer

from api.cli import demo, evidence, ledger, serve, snapshot, verify
from api.cli.console import stderr
from governance.errors import AnswerIsNo, WrongQuestion

app = typer.Typer(
    name="provender",
    help="Provenance for Feast: prove what an endpoint was made from.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("endpoints")(evidence.endpoints)
app.command("report")(evidence.report)
app.command("bundle")(evidence.bundle)
app.command("verify")(verify.verify)
app.command("serve")(serve.serve)
app.add_typer(snapshot.app, name="snapshot")
app.add_typer(ledger.app, name="ledger")
app.add_typer(evidence.trust_app, name="trust")


def main() -> None:
    """Run a command; an error of ours is one sentence on stderr and an exit code."""
    try:
        app()
    except AnswerIsNo as error:
        _stop(str(error), 1)
    except WrongQuestion as error:
        _stop(str(error), 2)
    except KeyboardInterrupt:
        _stop("Interrupted.", 130)


def _stop(message: str, code: int) -> None:
    stderr.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
