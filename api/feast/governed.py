"""The parts behind one Feast configuration, found and checked before anything is opened or written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from feast.repo_config import RegistryConfig, RepoConfig

from api.assembly import Provender, opened
from api.feast.governed_offline_store import unwrapped
from api.feast.sql.rows import CONFIGURATION, engine_options, governed_sql
from api.places import repository_places
from api.settings import Settings, load_settings
from governance.errors import ConfigurationError
from governance.policy_file import load_policy


def parts_of_registry(config: RegistryConfig, repo: Path | str | None) -> Provender:
    """The parts that ``registry: governance:`` leads to. Raises WrongQuestion."""
    settings_of_registry(config, repo)
    return opened(*_named(config, repo))


def settings_of_registry(config: RegistryConfig, repo: Path | str | None) -> Settings:
    """The settings alone; nothing is opened. Raises WrongQuestion."""
    repo, file = _named(config, repo)
    settings = load_settings(repo, file=file)
    _check(settings)
    return settings


def parts_of(config: RepoConfig) -> Provender:
    """The same, with the stores that Feast really uses: ``-f other.yaml`` may name others than the governance file."""
    parts = parts_of_registry(config.registry, config.repo_path)
    return replace(parts, settings=settings_of(config))


def settings_of(config: RepoConfig) -> Settings:
    """The settings alone, with the stores that Feast really uses; nothing is opened. Raises WrongQuestion."""
    repo, file = _named(config.registry, config.repo_path)
    read = load_settings(repo, file=file)
    settings = replace(read, document={**read.document, **_stores(config)})
    _check(settings)
    return settings


def _named(config: RegistryConfig, repo: Path | str | None) -> tuple[Path, str | None]:
    """The repository, and the file that holds its governance block where one is named."""
    if repo is None:
        raise ConfigurationError(
            "A governed repository needs its path: open it with FeatureStore(repo_path=...), not from a bare"
            " configuration."
        )
    return Path(repo).resolve(), governance_file(config)


def governance_file(config: RegistryConfig) -> str | None:
    """The file that ``registry:`` names for the governance block, if it names one. Raises ConfigurationError."""
    if governed_sql(config):
        name, file = f"sqlalchemy_config_kwargs: {CONFIGURATION}", engine_options(config).get(CONFIGURATION)
    else:
        name, file = "governance", getattr(config, "governance", None)
    if file is not None and not isinstance(file, str):
        raise ConfigurationError(f"`registry: {name}:` is {file!r}. Expected the file that holds the governance block.")
    return file


def _check(settings: Settings) -> None:
    """Raise WrongQuestion where the policy or a place cannot be read, before a file is made."""
    load_policy(settings.policy)
    repository_places(settings)


def _stores(config: RepoConfig) -> Mapping[str, Any]:
    online, offline = config.online_config, unwrapped(config).offline_config
    return {
        "online_store": online.model_dump() if hasattr(online, "model_dump") else online,
        "offline_store": offline.model_dump() if hasattr(offline, "model_dump") else offline,
        "registry": {"path": config.registry.path},
    }
