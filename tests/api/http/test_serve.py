from __future__ import annotations

import queue
import socket
import threading
import urllib.request

import pytest

from api.http import serve as served
from api.http.services import Services
from governance.errors import ConfigurationError


def test_it_binds_loopback_unless_told_otherwise_and_says_when_it_is_ready(services: Services) -> None:
    addresses: queue.Queue[str] = queue.Queue()
    stop = threading.Event()
    started: list[served._Server] = []

    class Watched(served._Server):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]  # handed on as they came
            started.append(self)

    original, served._Server = served._Server, Watched  # type: ignore[misc]  # a door to stop it: a thread gets no signal
    try:
        thread = threading.Thread(target=lambda: (served.serve(services, port=0, ready=addresses.put), stop.set()))
        thread.start()
        address = addresses.get(timeout=30)
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{address}/health", timeout=10) as answer:
            assert answer.status == 200
            assert "server" not in {name.lower() for name in answer.headers}
    finally:
        served._Server = original  # type: ignore[misc]
        for server in started:
            server.should_exit = True
    thread.join(timeout=30)
    assert stop.is_set()


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
