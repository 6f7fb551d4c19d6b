"""What holds for every test: nothing leaves this machine, and a test that needs a system part never skips."""

from __future__ import annotations

import ipaddress
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator


class NetworkUsed(AssertionError):
    """A test, or a library under test, tried to reach another machine."""


def _refuse_other_machines(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: it sees every connection that Python code of this process opens, in whatever thread."""
    if event not in {"socket.connect", "socket.sendto"}:
        return
    address = arguments[1]
    if isinstance(address, tuple) and address and not _is_here(str(address[0])):
        raise NetworkUsed(f"{event} to {address[0]}: tests reach loopback addresses only")


def _is_here(host: str) -> bool:
    if host in {"", "localhost"}:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def pytest_configure() -> None:
    sys.addaudithook(_refuse_other_machines)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test marked ``system`` has failed: `make test-system` promises that its parts are there."""
    report = yield
    if report.skipped and item.get_closest_marker("system") is not None:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped, but a test marked `system` may not: {report.longrepr}"
    return report
