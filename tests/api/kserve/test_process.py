"""A model server ends with whoever started it, and says why it refused."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from api.kserve.process import ServerProcess
from api.kserve.server import SAYS
from tests.api.kserve.hospital import ROOT, ended

FD_SETSIZE = 1024
"""What select(2) can look at."""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

WAITING = """
import signal, sys, time
from api.kserve.orphan import end_with_parent
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
end_with_parent()
print("http://127.0.0.1:1", flush=True)
time.sleep(120)
"""

STARTER = f"""
import os, sys, time
from pathlib import Path
from api.kserve.process import ServerProcess
server = ServerProcess([sys.executable, "-c", {WAITING!r}], environment=os.environ, log=Path(sys.argv[1]))
server.address(seconds=60)
print(server.pid, flush=True)
time.sleep(120)
"""


def started(program: str, log: Path) -> ServerProcess:
    return ServerProcess([sys.executable, "-c", program], environment=ENVIRONMENT, log=log)


def test_the_address_is_read_and_sigterm_ends_the_server(tmp_path: Path) -> None:
    server = started(WAITING, tmp_path / "log.txt")
    assert server.address(seconds=60) == "http://127.0.0.1:1"
    assert server.returncode is None
    assert server.end() == 0
    assert not psutil.pid_exists(server.pid)
    assert server.end() == 0


def test_the_address_is_read_in_a_process_with_many_open_files(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as held:
        held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        for _ in range(FD_SETSIZE):
            held.enter_context(Path(os.devnull).open("rb"))
        server = started(WAITING, tmp_path / "log.txt")
        assert server.address(seconds=60) == "http://127.0.0.1:1"
        assert server.end() == 0


def test_a_server_that_ends_before_it_answers_has_no_address_but_a_reason(tmp_path: Path) -> None:
    server = started(
        f"import sys; print('noise', file=sys.stderr); sys.exit({SAYS + 'because.'!r})", tmp_path / "log.txt"
    )
    assert server.address(seconds=60) is None
    server.wait(seconds=10)
    assert (server.returncode, server.sentence()) == (1, "because.")
    server.end()


def test_a_server_that_takes_too_long_has_no_address_yet(tmp_path: Path) -> None:
    server = started("import time; time.sleep(120)", tmp_path / "log.txt")
    assert server.address(seconds=0.2) is None
    assert server.returncode is None
    assert server.sentence() is None
    assert server.end() == -signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_server_is_left_when_its_starter_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path / "log.txt")], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        server = psutil.Process(int(starter.stdout.readline()))
        starter.send_signal(number)
        starter.wait()
    assert ended(server)
