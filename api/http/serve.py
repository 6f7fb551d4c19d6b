"""Running the application under uvicorn: on loopback unless told otherwise."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Sequence

import uvicorn

from api.http.application import LOOPBACK, create_application
from api.http.services import Services
from governance.errors import ConfigurationError


def serve(
    services: Services,
    *,
    host: str = "127.0.0.1",
    port: int = 8085,
    names: Sequence[str] = (),
    ready: Callable[[str], None] | None = None,
) -> None:
    """Answer requests until interrupted.

    ``port`` 0 takes a free one. ``names`` are further host names that clients may use. ``ready`` is called with
    the address once it accepts connections. Raises ConfigurationError where the address cannot be bound.
    """
    application = create_application(services, hosts=allowed_hosts(host, names))
    config = uvicorn.Config(application, log_level="warning", access_log=False, server_header=False, lifespan="on")
    with bound(host, port) as listening, contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it after closing up
        Server(config, f"http://{_in_url(host)}:{listening.getsockname()[1]}", ready).run(sockets=[listening])


def allowed_hosts(host: str, names: Sequence[str]) -> list[str]:
    """Names that the ``Host`` header may carry; every name where all interfaces are bound and none was given."""
    if _is_unspecified(host) and not names:
        return ["*"]
    return list(dict.fromkeys((*LOOPBACK, _in_url(host), *names)))


class Server(uvicorn.Server):
    """Says when it is ready, which uvicorn's own class only logs."""

    def __init__(self, config: uvicorn.Config, address: str, ready: Callable[[str], None] | None) -> None:
        super().__init__(config)
        self._address, self._ready = address, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets)
        if self._ready and self.started:
            self._ready(self._address)


def bound(host: str, port: int) -> socket.socket:
    """A socket at that address. Raises ConfigurationError where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"Cannot listen on {host} port {port}: {error.strerror or error}. Choose a free port, or 0 for any, and an"
            " address of this machine."
        ) from error
    return listening


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
