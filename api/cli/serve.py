"""``provender serve``: the API, the OpenLineage endpoint and the viewer."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.console import HERE, RepoOption, stderr


def serve(
    repo: RepoOption = HERE,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen on; 0 takes a free one.")] = 8085,
) -> None:
    """Serve the audit API, the OpenLineage endpoint and the viewer (on this machine only, unless told otherwise)."""
    from api.assembly import opened
    from api.http.serve import serve as run
    from api.reports import http_services

    run(http_services(opened(repo.resolve())), host=host, port=port, ready=_say)


def _say(address: str) -> None:
    stderr.print(f"Serving {address} (stop with Ctrl-C)", highlight=False)
