"""``provender``: the commands, and the one place where errors become exit codes.

0 yes; 1 the answer is no; 2 the question was wrong. Nothing heavy is imported before a command runs.
"""

from __future__ import annotations

import sys

import typer

from api.cli import admission, demo, evidence, explain, ledger, plan, policy, registry, serve, snapshot, verify
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
app.command("plan")(plan.plan)
app.command("explain")(explain.explain)
app.add_typer(snapshot.app, name="snapshot")
app.add_typer(ledger.app, name="ledger")
app.add_typer(registry.app, name="registry")
app.add_typer(policy.app, name="policy")
app.add_typer(admission.app, name="admission")
app.add_typer(evidence.trust_app, name="trust")


def main() -> None:
    """Run a command; an error of ours is one sentence on stderr and an exit code."""
    try:
        app()
    except KeyboardInterrupt:
        _stop("Interrupted.", 130)
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        _stop(*told)


def _told(error: Exception) -> tuple[str, int] | None:
    """Sentence and exit code of an error that somebody expected; None for a bug, which keeps its traceback."""
    if isinstance(error, AnswerIsNo):
        return str(error), 1
    if isinstance(error, WrongQuestion):
        return str(error), 2
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}. Expected a file or folder that can be used here.", 2
    from audit.verify.errors import VerificationError  # after the fact, so that --help pays for nothing

    if isinstance(error, VerificationError):
        return f"A stored record is not what was written: {error}. `provender ledger audit` says which.", 1
    return None


def _stop(message: str, code: int) -> None:
    stderr.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
