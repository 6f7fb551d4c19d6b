"""With which code besides its own a training run ran: the installed distributions, as one digest.

The digest is the SHA-256 of the RFC 8785 JSON ``[[name, version, sha256 of RECORD or null], ...]``, sorted.
RECORD is the installer's list of files with their hashes (PEP 376), so a changed file that its list still
vouches for is *not* seen; a different build of the same version is. Installers put the environment's own path
into scripts, so two environments in different places may differ in RECORD alone.
"""

from __future__ import annotations

import hashlib
import platform
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

from governance.canonical import Json, json_sha256


@dataclass(frozen=True)
class Distribution:
    """An installed distribution."""

    name: str
    """normalised (PEP 503)"""
    version: str
    record_sha256: str | None
    """hex SHA-256 of its RECORD file; None where the installer left none"""

    def as_json(self) -> Json:
        """The distribution as an entry of the digested list."""
        return [self.name, self.version, self.record_sha256]


@dataclass(frozen=True)
class Environment:
    """The interpreter and what is installed for it."""

    python: str
    platform: str
    distributions: tuple[Distribution, ...]

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the list of distributions."""
        return json_sha256([distribution.as_json() for distribution in self.distributions])

    def as_json(self) -> Json:
        """The environment as JSON, with its digest and the list that the digest is of."""
        return {
            "python": self.python,
            "platform": self.platform,
            "sha256": self.sha256,
            "distributions": [distribution.as_json() for distribution in self.distributions],
        }


def observe_environment(*, distributions: Iterable[metadata.Distribution] | None = None) -> Environment:
    """Observe the environment of this process.

    :param distributions: those to describe; all that the import system finds if not given.
    """
    found = metadata.distributions() if distributions is None else distributions
    described = {_describe(distribution) for distribution in found}
    return Environment(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        platform=f"{sys.platform}-{platform.machine()}",
        distributions=tuple(sorted(described, key=lambda d: (d.name, d.version, d.record_sha256 or ""))),
    )


def _describe(distribution: metadata.Distribution) -> Distribution:
    name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"] or "unknown").lower()
    record = distribution.read_text("RECORD")
    return Distribution(name, distribution.version, hashlib.sha256(record.encode()).hexdigest() if record else None)
