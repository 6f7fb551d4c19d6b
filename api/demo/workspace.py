"""Where the demonstration works: a copy of the example repository below ``./data``, with its sources made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from governance.errors import ConfigurationError

_KEPT = "data"
"""The folder of a Feast repository that holds what was made: it outlives a second demonstration."""


@dataclass(frozen=True)
class Workspace:
    """The folders of one demonstration."""

    root: Path

    @property
    def repository(self) -> Path:
        """The copy of the example repository."""
        return self.root / "feature_repo"

    @property
    def report(self) -> Path:
        """The report as a web page."""
        return self.root / "report.html"

    @property
    def bundle(self) -> Path:
        """The evidence bundle."""
        return self.root / "evidence.bundle"

    @property
    def trust(self) -> Path:
        """The auditor's trust file."""
        return self.root / "trust.json"

    @property
    def data(self) -> Path:
        """Everything that the governed repository wrote."""
        return self.repository / _KEPT


def prepare(example: Path, root: Path) -> Workspace:
    """Copy the definitions anew (what an earlier demonstration made stays) and make the sources."""
    if not (example / "feature_store.yaml").is_file():
        raise ConfigurationError(
            f"There is no example repository at {example}. Run the demonstration from a checkout of Provender."
        )
    workspace = Workspace(root.resolve())
    _copy_definitions(example, workspace.repository)
    load(workspace.repository / "prepare" / "sources.py").make_sources(workspace.repository)
    return workspace


def load(path: Path) -> ModuleType:
    """A Python file of the repository as a module; the repository itself is data and never on the path."""
    name = f"provender_example_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} is not a Python file.")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def variant(workspace: Workspace, name: str) -> Iterator[None]:
    """Within, the files of ``variants/<name>`` lie over the repository's own, which come back afterwards."""
    overlay = [
        (path, workspace.repository / path.name) for path in (workspace.repository / "variants" / name).iterdir()
    ]
    before = {place: place.read_bytes() if place.exists() else None for _, place in overlay}
    try:
        for path, place in overlay:
            shutil.copy(path, place)
        yield
    finally:
        for place, content in before.items():
            place.unlink(missing_ok=True) if content is None else place.write_bytes(content)


def feast_apply(workspace: Workspace) -> subprocess.CompletedProcess[str]:
    """A plain ``feast apply`` in the repository, as its users type it."""
    command = [str(Path(sys.executable).with_name("feast")), "apply"]
    return subprocess.run(command, cwd=workspace.repository, capture_output=True, text=True, check=False)  # noqa: S603 - our own environment's feast


def _copy_definitions(example: Path, repository: Path) -> None:
    repository.mkdir(parents=True, exist_ok=True)
    for old in repository.iterdir():
        if old.name != _KEPT:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    ignored = shutil.ignore_patterns("__pycache__", _KEPT)
    shutil.copytree(example, repository, dirs_exist_ok=True, ignore=ignored)
