"""Settings: the ``governance:`` block of a Feast repository, read once at the edge.

The file is found from ``registry: governance:`` (relative to the repository), else from
``FEATURE_STORE_YAML_BASE64``, and never from the working directory by luck.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from governance.errors import ConfigurationError
from lineage.objects import Retention

FEAST_FILE = "feature_store.yaml"
BASE64 = "FEATURE_STORE_YAML_BASE64"
PURPOSE = "PROVENDER_PURPOSE"
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
RETENTION_MODES = ("GOVERNANCE", "COMPLIANCE")


@dataclass(frozen=True)
class Governance:
    """The ``governance:`` block. Only ``policy`` is required; relative paths are below the repository."""

    policy: str
    """policy.yaml"""
    database: str = "sqlite:///data/provender.db"
    """SQLAlchemy URL of catalogue, events, graph and ledger"""
    objects: str = "data/objects"
    """where snapshots and artifacts are: a directory, or ``s3://bucket/prefix``"""
    retention_days: int = 0
    """days for which S3 refuses to delete a new object (object lock); 0: as the bucket has it"""
    retention_mode: str = "GOVERNANCE"
    """``GOVERNANCE``, which a permission of its own may lift, or ``COMPLIANCE``, which nobody can"""
    origin: str = ""
    """name of the ledger (C2SP checkpoint origin); ``provender.example/<project>`` if empty"""
    keys: str = "data/keys"
    """directory of the keys (0700, files 0600), or ``env:PREFIX``"""
    checkpoints: str = "data/checkpoints"
    """directory of the copy of the last checkpoint that lives outside the database"""
    place: str = ""
    """URI of the place where this process computes, such as ``k8s://prod/team/cpu``"""
    min_rows: int = 50
    """a snapshot of fewer rows is guessable: it is named at random and its digest stays in its manifest"""
    policy_ttl: int = 1
    """seconds after which a registry that another process changed counts for online reads, at the latest"""


@dataclass(frozen=True)
class Settings:
    """Everything that the configuration of one Feast repository says to us."""

    repo: Path
    project: str
    document: Mapping[str, Any]
    """the whole feature_store.yaml"""
    governance: Governance
    s3_endpoint: str | None = None
    """the S3 that is not AWS's own, from ``AWS_ENDPOINT_URL_S3`` or ``AWS_ENDPOINT_URL`` as boto3 reads them"""

    @property
    def policy(self) -> Path:
        """Path of the policy file."""
        return self.repo / self.governance.policy

    @property
    def database(self) -> str:
        """Database URL; a relative SQLite file stands below the repository. Raises DatabaseUnreachable."""
        from lineage.database import database_url

        return database_url(self.governance.database, base=self.repo)

    @property
    def objects(self) -> str:
        """Where the object store is: an absolute directory, or ``s3://bucket/prefix`` untouched."""
        value = self.governance.objects
        return value if "://" in value else str(self.repo / value)

    @property
    def retention(self) -> Retention | None:
        """What to ask of S3 for each new object. Raises ConfigurationError."""
        days, mode = self.governance.retention_days, self.governance.retention_mode
        if days < 0 or mode not in RETENTION_MODES:
            raise ConfigurationError(
                f"`governance: retention_days:` is {days} and `retention_mode:` is {mode!r}. Expected a number of days"
                f" (0 for what the bucket does by itself), and {' or '.join(RETENTION_MODES)}."
            )
        return Retention(mode, days) if days else None

    @property
    def keys(self) -> str:
        """Keys directory, absolute, or ``env:PREFIX`` untouched."""
        value = self.governance.keys
        return value if value.startswith(("env:", "pkcs11:")) else str(self.repo / value)

    @property
    def checkpoints(self) -> Path:
        """Directory of the outside copy of the last checkpoint."""
        return self._directory("checkpoints", self.governance.checkpoints)

    @property
    def origin(self) -> str:
        """Origin line of the ledger's checkpoints."""
        return self.governance.origin or f"provender.example/{self.project}"

    def _directory(self, name: str, value: str) -> Path:
        if "://" in value:
            raise ConfigurationError(f"`governance: {name}:` is {value!r}. Expected a directory.")
        return self.repo / value


def load_settings(repo: Path, *, file: str | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of the Feast repository in ``repo``.

    :param file: feature_store.yaml, relative to the repository unless absolute
    :raises ConfigurationError: no file, not YAML, no ``governance:`` block, or an unknown setting in it
    """
    environ = os.environ if environ is None else environ
    path = repo / (file or FEAST_FILE)
    document = _parse(_read(path, environ), str(path))
    project = document.get("project")
    if not isinstance(project, str) or not project:
        raise ConfigurationError(f"{path} has no `project:`. Expected the name of the Feast project.")
    governance = _governance(document.get("governance"), str(path))
    endpoint = next((environ[name] for name in ENDPOINTS if environ.get(name)), None)
    return Settings(repo.resolve(), project, document, governance, s3_endpoint=endpoint)


def _read(path: Path, environ: Mapping[str, str]) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        if BASE64 in environ:
            return decoded(environ[BASE64])
        raise ConfigurationError(
            f"There is no {path}. Expected the configuration of a Feast repository; name one with --repo,"
            " or set `registry: governance:` to the file that holds the governance block."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}. Expected a YAML file in UTF-8.") from error


def decoded(text: str) -> str:
    """The configuration that ``FEATURE_STORE_YAML_BASE64`` holds. Raises ConfigurationError."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{BASE64} is not base64 of a YAML file: {error}.") from error


def _parse(text: str, name: str) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(os.path.expandvars(text))  # as Feast itself reads this file
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{name} holds no mapping. Expected a Feast configuration with a `governance:` block.")
    return document


def _governance(block: Any, name: str) -> Governance:
    example = "\n\n    governance:\n      policy: policy.yaml\n"
    if block is None:
        raise ConfigurationError(f"{name} has no `governance:` block, so nothing may be decided. Add one:{example}")
    if not isinstance(block, dict) or not isinstance(block.get("policy"), str) or not block["policy"]:
        raise ConfigurationError(f"`governance:` in {name} names no policy. Expected at least:{example}")
    types = {field.name: type(field.default) if field.name != "policy" else str for field in fields(Governance)}
    for key, value in block.items():
        if key not in types:
            raise ConfigurationError(
                f"`governance: {key}:` in {name} is unknown. Known are: {', '.join(sorted(types))}."
            )
        if type(value) is not types[key]:
            raise ConfigurationError(f"`governance: {key}:` in {name} is {value!r}. Expected {types[key].__name__}.")
    return Governance(**block)
