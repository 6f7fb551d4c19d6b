"""The configuration of a Feast repository, as Feast itself reads it."""

from __future__ import annotations

from pathlib import Path

import yaml
from feast.errors import FeastError
from feast.repo_config import FeastConfigError, RepoConfig, load_repo_config
from feast.utils import get_default_yaml_file_path

from governance.errors import ConfigurationError


def read_configuration(repo: Path, file: Path | None = None) -> RepoConfig:
    """The configuration of ``repo``; ``file`` as ``feast -f`` takes it. Raises ConfigurationError."""
    path = (file if file is not None else get_default_yaml_file_path(repo)).resolve()
    try:
        return load_repo_config(repo, path)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"There is no {path}. Expected the configuration of a Feast repository; name one with --repo."
        ) from error
    except (ValueError, TypeError, yaml.YAMLError, FeastError, FeastConfigError) as error:
        raise ConfigurationError(f"Feast cannot read {path}: {' '.join(str(error).split())}") from error
