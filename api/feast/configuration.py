"""The configuration of a Feast repository, as Feast itself reads it."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from feast.errors import FeastError
from feast.repo_config import FeastConfigError, RepoConfig, load_repo_config
from feast.utils import get_default_yaml_file_path

from api.settings import BASE64, FEAST_FILE, decoded
from governance.errors import ConfigurationError


def read_configuration(repo: Path, file: Path | None = None) -> RepoConfig:
    """The configuration of ``repo``; ``file`` as ``feast -f`` takes it. Raises ConfigurationError.

    Where no file is named and none is there, ``FEATURE_STORE_YAML_BASE64`` speaks for it.
    """
    path = (file if file is not None else get_default_yaml_file_path(repo)).resolve()
    if file is None and not path.exists() and (text := os.environ.get(BASE64)):
        return _from_environment(repo, decoded(text))
    return _read(repo, path, str(path))


def _from_environment(repo: Path, text: str) -> RepoConfig:
    with TemporaryDirectory() as place:  # Feast reads files only
        path = Path(place) / FEAST_FILE
        path.write_text(text, encoding="utf-8")
        return _read(repo, path, BASE64)


def _read(repo: Path, path: Path, name: str) -> RepoConfig:
    try:
        return load_repo_config(repo, path)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"There is no {name}. Expected the configuration of a Feast repository; name one with --repo."
        ) from error
    except (ValueError, TypeError, yaml.YAMLError, FeastError, FeastConfigError) as error:
        raise ConfigurationError(f"Feast cannot read {name}: {' '.join(str(error).split())}") from error
