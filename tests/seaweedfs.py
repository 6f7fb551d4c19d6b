"""A real S3 for tests: SeaweedFS on free loopback ports, with credentials, gone when the test is.

A conftest offers it, once a session::

    from tests.seaweedfs import S3Server, running_seaweedfs


    @pytest.fixture(scope="session")
    def s3() -> Iterator[S3Server]:
        with running_seaweedfs() as server:
            yield server
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 60
"""seconds that a start may take on a loaded machine"""

_PORTS = ("master.port", "volume.port", "filer.port", "s3.port")


@dataclass(frozen=True)
class S3Server:
    """What a client needs to know; there is one user, who may do everything."""

    endpoint: str
    """http://127.0.0.1:PORT"""
    access_key: str = "provender-tests"
    secret_key: str = "secret-of-the-tests"
    region: str = "us-east-1"

    def client(self) -> Any:
        """A boto3 client of this server. The caller closes it."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )


@contextmanager
def running_seaweedfs() -> Iterator[S3Server]:
    """A server that runs while the block does, and its data in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="seaweedfs-", ignore_cleanup_errors=True) as directory:
        ports = _free_ports(2 * len(_PORTS))
        server = S3Server(f"http://127.0.0.1:{ports[_PORTS.index('s3.port')]}")
        with (Path(directory) / "log").open("wb") as log:
            process = subprocess.Popen(_command(Path(directory), server, ports), stdout=log, stderr=log)
        try:
            _wait_until_it_answers(server, process, Path(directory) / "log")
            yield server
        finally:
            process.kill()  # SIGTERM would wait ten seconds for clients that are gone
            process.wait()


def _command(directory: Path, server: S3Server, ports: list[int]) -> list[str]:
    (directory / "data").mkdir()
    config = directory / "s3.json"
    credentials = [{"accessKey": server.access_key, "secretKey": server.secret_key}]
    user = {"name": "tests", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    config.write_text(json.dumps({"identities": [user]}))
    config.chmod(0o600)
    weed = Path(sys.executable).with_name("weed")
    options = [f"-{name}={port}" for name, port in zip(_PORTS, ports, strict=False)]
    options += [f"-{name}.grpc={port}" for name, port in zip(_PORTS, ports[len(_PORTS) :], strict=True)]
    return [
        str(weed if weed.exists() else shutil.which("weed")),
        *("-logtostderr=true", "server", f"-dir={directory / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *("-s3", f"-s3.config={config}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.ip.bind=127.0.0.1"),
        *("-volume.max=2000", "-master.volumeSizeLimitMB=64", "-master.telemetry=false", *options),
    ]


def _wait_until_it_answers(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    """An object can be written (its bucket is made with it): the volumes are there, not only the port."""
    from botocore.exceptions import BotoCoreError, ClientError

    until = time.monotonic() + PATIENCE
    with closing(server.client()) as client:
        while True:
            try:
                client.put_object(Bucket="ready", Key="yes", Body=b"yes")
            except (BotoCoreError, ClientError) as error:
                if process.poll() is not None or time.monotonic() > until:
                    raise AssertionError(f"SeaweedFS did not start:\n{log.read_text()[-4000:]}") from error
                time.sleep(0.2)
            else:
                return


def _free_ports(count: int) -> list[int]:
    """Ports that are free at this moment, no two alike."""
    with ExitStack() as stack:
        found: list[int] = []
        while len(found) < count:
            one = stack.enter_context(socket.socket())
            one.bind(("127.0.0.1", 0))
            found.append(one.getsockname()[1])
        return found
