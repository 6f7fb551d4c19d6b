"""``python -m api.kserve``: a model server on loopback that serves only what it has verified.

    python -m api.kserve --repo feature_repo --endpoint liver-risk --artifact oms1-sha256:… \
        --feature-service liver_risk --predictor training/liver_risk.py:predict --port 0

One line goes to standard output once requests are answered: the server's address. Everything else, the one sentence
of a refusal included, goes to standard error. Exit codes: 0 ended by SIGTERM, 1 the model may not be served,
2 the question was wrong.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from api.kserve.orphan import end_with_parent
from api.kserve.predictor import load_predictor, read_predictor
from api.kserve.weights import load_tensors, verify_artifact
from governance.canonical import rfc3339, utc_now
from governance.errors import AnswerIsNo, ConfigurationError, WrongQuestion
from lineage.errors import UnknownArtifact

if TYPE_CHECKING:
    from fastapi import FastAPI

HOST = "127.0.0.1"
SAYS = "api.kserve: "
"""Begins the sentence of a refusal on standard error."""
_SHUTDOWN_SECONDS = 5


@dataclass(frozen=True)
class Options:
    """What is to be served."""

    repo: Path
    endpoint: str
    artifact: str
    feature_service: str
    predictor: str
    port: int
    end_with_parent: bool


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or Ctrl-C; the exit code."""
    signal.signal(signal.SIGTERM, _end)  # uvicorn takes over while it runs and hands the signal back
    options = Options(**vars(_parser().parse_args(arguments)))
    announce = _only_for_the_address()
    if options.end_with_parent:
        end_with_parent()
    try:
        with bound_socket(options.port) as bound:  # first: a port that is taken need not wait for the model
            run(prepare(options), bound=bound, announce=announce)
    except (AnswerIsNo, UnknownArtifact) as error:
        return _say(error, code=1)
    except WrongQuestion as error:
        return _say(error, code=2)
    except KeyboardInterrupt:
        pass
    return 0


def prepare(options: Options) -> FastAPI:
    """Verify, then load, then assemble.

    Raises AnswerIsNo and UnknownArtifact where the model may not be served, WrongQuestion for the rest.
    """
    from cryptography.hazmat.primitives import serialization

    from api.assembly import opened

    repo = options.repo.resolve()
    parts = opened(repo)
    public = parts.keys.model.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    verified = verify_artifact(parts.directory, options.artifact, public_key=public)
    source = read_predictor(options.predictor, repo=repo)

    from api.feast.online_reads import OnlineReads  # seconds each: a refusal need not wait for them
    from api.kserve.application import create_application
    from api.kserve.model import OnlineModel

    weights = load_tensors(verified.artifact)
    reads = OnlineReads(repo, options.feature_service)
    loaded = verified.artifact.digest
    model = OnlineModel(
        options.endpoint, reads=reads, predictor=load_predictor(source), weights=weights, artifact=loaded
    )
    provenance: dict[str, Any] = {
        "endpoint": options.endpoint,
        "artifact": loaded,
        "verified": verified.time,
        "signature_key": verified.signature.key,
        "predictor": source.as_json(),
        "feature_service": options.feature_service,
        "views": list(reads.views),
        "definitions": reads.definitions,
        "kserve": version("kserve"),
        "started": rfc3339(utc_now()),
    }
    return create_application(model, provenance)


def run(application: FastAPI, *, bound: socket.socket, announce: Callable[[str], None]) -> None:
    """Answer requests on ``bound`` until a signal ends it; ``announce`` gets the address once it answers."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started and sockets:
                announce(f"http://{HOST}:{sockets[0].getsockname()[1]}")

    config = uvicorn.Config(
        application,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    Server(config).run(sockets=[bound])


def bound_socket(port: int) -> socket.socket:
    """A socket on loopback that does not listen yet. Raises ConfigurationError."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
    except (OSError, OverflowError) as error:
        bound.close()
        raise ConfigurationError(
            f"Cannot listen on {HOST} port {port}: {error}. Choose a free port, or 0 for any."
        ) from error
    return bound


def _only_for_the_address() -> Callable[[str], None]:
    """Keep standard output for the address: whatever libraries print goes to standard error."""
    own = os.dup(1)
    os.dup2(2, 1)

    def announce(address: str) -> None:
        with os.fdopen(own, "w") as stream:
            stream.write(address + "\n")

    return announce


def _say(error: Exception, *, code: int) -> int:
    sys.stderr.write(f"{SAYS}{' '.join(str(error).split())}\n")
    return code


def _end(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m api.kserve", description="Serve one verified model on loopback.")
    parser.add_argument("--repo", type=Path, required=True, help="governed Feast repository")
    parser.add_argument("--endpoint", required=True, help="name of the endpoint")
    parser.add_argument("--artifact", required=True, help="digest of the weights, oms1-sha256:HEX")
    parser.add_argument("--feature-service", required=True, help="feature service whose online features are read")
    parser.add_argument("--predictor", required=True, help="FILE.py:function, relative to the repository")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--end-with-parent", action="store_true", help="end when standard input closes")
    return parser
