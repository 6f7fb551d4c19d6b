from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from api.http import serve as served
from api.http.services import Services
from governance.errors import ConfigurationError

ROOT = Path(__file__).parents[3]
PROGRAM = """
from pathlib import Path
from api.http.serve import serve
from api.http.services import Services
services = Services(lambda: (), lambda name: None, lambda: None, lambda event: True, Path("."))
serve(services, port=0, ready=lambda address: print(address, flush=True))
print("closed", flush=True)
"""


def test_it_serves_on_loopback_says_when_it_is_ready_and_an_interrupt_ends_it_quietly() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        try:
            assert address.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(f"{address}/health", timeout=10) as answer:
                assert answer.status == 200
                assert "server" not in {name.lower() for name in answer.headers}
        finally:
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=30)
    assert (process.returncode, out, errors) == (0, "closed\n", "")


def test_a_taken_port_is_a_sentence(services: Services) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigurationError, match=r"Cannot listen on 127\.0\.0\.1 port .*free port"):
            served.serve(services, port=taken.getsockname()[1])


def test_names_are_loopback_the_host_and_what_was_given() -> None:
    assert served.allowed_hosts("127.0.0.1", ()) == ["localhost", "127.0.0.1", "[::1]"]
    assert served.allowed_hosts("0.0.0.0", ()) == ["*"]
    assert "audit.example" in served.allowed_hosts("0.0.0.0", ("audit.example",))
    assert "*" not in served.allowed_hosts("10.1.2.3", ())
