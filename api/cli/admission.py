"""``provender admission``: the webhook that a Kubernetes cluster asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.console import HERE, RepoOption, stderr

app = typer.Typer(help="The gates of training and deployment, as a Kubernetes cluster asks for them.")


@app.callback()
def _group() -> None:
    """Keep ``serve`` a command of its own."""


@app.command()
def serve(
    *,
    certificate: Annotated[Path, typer.Option("--certificate", help="PEM file of the server's certificate chain.")],
    key: Annotated[Path, typer.Option("--key", help="PEM file of its private key.")],
    cluster: Annotated[str, typer.Option("--cluster", help="The cluster's name in the places of the policy.")],
    repo: RepoOption = HERE,
    pool_label: Annotated[
        str, typer.Option("--pool-label", help="The node label whose value is the name of a node pool.")
    ] = "provender.example/pool",
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen on; 0 takes a free one.")] = 8443,
) -> None:
    """Answer AdmissionReviews of TrainJobs, InferenceServices and LLMInferenceServices over HTTPS."""
    from api.assembly import opened
    from api.kubernetes.admission import Admission
    from api.kubernetes.application import serve_admission

    admission = Admission(opened(repo.resolve()), cluster, pool_label)
    serve_admission(admission, certificate=certificate, key=key, host=host, port=port, ready=_say)


def _say(address: str) -> None:
    stderr.print(f"Serving {address} (stop with Ctrl-C)", highlight=False)
