"""Where words go: messages and progress to stderr, answers to stdout, and with ``--json`` one document and no more."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

stderr = Console(stderr=True)
stdout = Console()

RepoOption = Annotated[Path, typer.Option("--repo", help="The Feast repository.", show_default="here")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
HERE = Path()


def print_json(document: Any) -> None:
    """Print the one JSON document of a command."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
