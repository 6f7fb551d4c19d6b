"""Deployments on this machine: start a model server, see what it really loaded, record that, and record its end.

with Deployment.start(parts, endpoint="liver-risk", artifact=outcome.artifact, feature_service="liver_risk",
                      predictor="training/liver_risk.py:predict") as deployment:
    answer = httpx.post(deployment.infer_url, json=...)
"""

from __future__ import annotations

import os
import re
import sys
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from api.assembly import Provender, process_actor
from api.kserve.errors import DeploymentRefused
from api.kserve.manifest import server_arguments
from api.kserve.predictor import read_predictor
from api.kserve.process import ServerProcess
from api.kserve.provenance import Asked, Provenance, read_provenance, refuse_other_than
from api.kserve.record import DeploymentRecords, model_name, online_values
from api.places import repository_places
from api.snapshot_use import SnapshotUse, enforced, snapshots_of
from governance.canonical import canonical_json
from governance.errors import ConfigurationError
from lineage.closing import close_broken_off
from lineage.recorder import Act

READY_SECONDS = 180.0
"""How long a server may take to verify, load and answer. Importing Feast, KServe and torch takes most of it."""

_ENDPOINT = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_ARTIFACT = re.compile(r"oms1-sha256:[0-9a-f]{64}")
_WRONG_QUESTION = 2


class Deployment:
    """A ready endpoint. Use it as a context manager: it ends with the block, whatever happens in it."""

    def __init__(
        self, parts: Provender, *, process: ServerProcess, provenance: Provenance, records: DeploymentRecords, log: Path
    ) -> None:
        """Take over what :meth:`start` has made."""
        self._parts, self._process, self._records = parts, process, records
        self._ended = False
        self.provenance = provenance
        """what the server reported, compared with what was asked for"""
        self.log = log
        """what the server wrote to standard error"""

    @classmethod
    def start(
        cls,
        parts: Provender,
        *,
        endpoint: str,
        artifact: str,
        feature_service: str,
        predictor: str,
        port: int = 0,
        seconds: float = READY_SECONDS,
    ) -> Deployment:
        """Start a server, wait until it is ready, and record what it loaded.

        :param endpoint: name as Kubernetes takes it
        :param artifact: ``oms1-sha256:<hex>``
        :param predictor: ``FILE.py:function``, relative to the repository
        :param port: 0 takes a free one

        Raises Denied and DeploymentRefused (recorded as such), and ConfigurationError (nothing is recorded). On any
        error, also where recording fails, no process is left.
        """
        asked = _asked(parts, endpoint, artifact, feature_service, predictor)
        enforced(parts, _use(parts, asked))
        id_ = str(uuid.uuid4())
        records = DeploymentRecords(parts.settings.project, id_, asked, model_name(parts.records, artifact))
        directory = parts.settings.repo / "data" / "deployments" / f"{endpoint}-{id_}"
        log = directory / "log.txt"
        process = _started(parts.settings.repo, asked, predictor=predictor, port=port, directory=directory)
        try:
            provenance = _observed(process, asked, seconds=seconds, log=log)
            online = online_values(parts.records, provenance.views)
        except DeploymentRefused as refusal:
            process.end()
            close_broken_off(parts.recorder, records.refused(str(refusal)), cause=refusal)
            raise
        except BaseException:
            process.end()
            raise
        try:
            parts.recorder.record(records.ready(provenance, online))
        except BaseException as error:  # it may stand recorded all the same: the ledger is asked after the commit
            process.end()
            reason = f"it was ended because recording that it was ready failed: {type(error).__name__}"
            close_broken_off(parts.recorder, records.ended(provenance, online, reason=reason, failed=True), cause=error)
            raise
        return cls(parts, process=process, provenance=provenance, records=records, log=log)

    @property
    def id(self) -> str:
        """UUID of the deployment and of its run."""
        return self._records.deployment

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Address of the server."""
        return self.provenance.url

    @property
    def infer_url(self) -> str:
        """Where inference requests of the V2 protocol go."""
        return f"{self.url}/v2/models/{self._records.asked.endpoint}/infer"

    def stop(self) -> None:
        """End the process and record the end, with what its online values were made from by then. Once."""
        ended = self._end()
        if ended is not None:
            self._parts.recorder.record(ended)

    def _end(self) -> Act | None:
        """End the process; what is to be recorded of that. None where it has been done."""
        if self._ended:
            return None
        code = self._process.returncode
        exit_code = self._process.end()
        self._ended = True
        by_itself = code is not None
        reason = f"the server ended by itself with exit code {code}" if by_itself else "it was stopped"
        if not by_itself and exit_code != 0:
            reason += f"; its process ended with exit code {exit_code}"
        online = online_values(self._parts.records, self.provenance.views)
        return self._records.ended(self.provenance, online, reason=reason, failed=by_itself)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.stop()
        elif (ended := self._end()) is not None:  # what the block raised is what its caller must hear
            close_broken_off(self._parts.recorder, ended, cause=error)


def _asked(parts: Provender, endpoint: str, artifact: str, feature_service: str, predictor: str) -> Asked:
    if not _ENDPOINT.fullmatch(endpoint):
        raise ConfigurationError(
            f"The endpoint is named {endpoint!r}. Expected lower-case letters, digits and hyphens, at most 63,"
            " beginning with a letter: the name of an InferenceService."
        )
    if not _ARTIFACT.fullmatch(artifact):
        raise ConfigurationError(f"{artifact!r} does not name an artifact. Expected oms1-sha256:<64 hex digits>.")
    source = read_predictor(predictor, repo=parts.settings.repo)
    return Asked(endpoint, artifact, feature_service, source, parts.keys.model_public.keyid)


def _use(parts: Provender, asked: Asked) -> SnapshotUse:
    """What the gate of deployment is asked: the model answers on this machine."""
    return SnapshotUse(
        gate="deploy",
        what=f"endpoint:{asked.endpoint}",
        snapshots=snapshots_of(parts, asked.artifact),
        places=repository_places(parts.settings),
        caller=process_actor(),
        request={"artifact": asked.artifact, "feature_service": asked.feature_service},
    )


def _started(repo: Path, asked: Asked, *, predictor: str, port: int, directory: Path) -> ServerProcess:
    directory.mkdir(parents=True)
    (directory / "inferenceservice.json").write_bytes(canonical_json(asked.manifest))
    arguments = server_arguments(
        repo=str(repo),
        endpoint=asked.endpoint,
        artifact=asked.artifact,
        feature_service=asked.feature_service,
        predictor=predictor,
        port=port,
    )
    command = (sys.executable, "-m", "api.kserve", *arguments, "--end-with-parent")
    return ServerProcess(command, environment=_environment(), log=directory / "log.txt")


def _environment() -> dict[str, str]:
    """Our own, in which only these packages are found, not files of the current directory that share their names."""
    here = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}


def _observed(process: ServerProcess, asked: Asked, *, seconds: float, log: Path) -> Provenance:
    address = process.address(seconds=seconds)
    if address is None:
        process.wait(seconds=1.0)  # it has closed its standard output: its exit code is about to come
        raise _why_not(process, asked, seconds=seconds, log=log)
    found = read_provenance(address, asked.endpoint)
    refuse_other_than(asked, found)
    return found


def _why_not(
    process: ServerProcess, asked: Asked, *, seconds: float, log: Path
) -> DeploymentRefused | ConfigurationError:
    code, said = process.returncode, process.sentence()
    if code is None:
        return DeploymentRefused(f"Endpoint {asked.endpoint} was not ready after {seconds:.0f} s. Its log is {log}.")
    if code == _WRONG_QUESTION and said:
        return ConfigurationError(said)
    if said:
        return DeploymentRefused(said)
    return DeploymentRefused(
        f"The server of endpoint {asked.endpoint} ended with exit code {code} before it was ready. Its log is {log}."
    )
