"""The shadowing hazard: a repository file whose module name is already somebody else's.

Feast imports the files of a repository by bare name with the repository last on ``sys.path``. A file
``lineage.py`` would therefore give Feast *our* package, its own objects would be missing, and the next apply
would delete them from the registry.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from feast.repo_operations import get_repo_files

from governance.errors import ConfigurationError


def refuse_shadowed_modules(repo: Path) -> None:
    """Raise ConfigurationError, naming the file, where Feast would have imported another module in its place."""
    for path in get_repo_files(repo):
        name = ".".join(path.relative_to(repo.resolve()).with_suffix("").parts)  # as Feast names it
        origin = _origin(name)
        if origin is not None and origin != path:
            raise ConfigurationError(
                f"{path.name} is shadowed: Python finds the module {name!r} at {origin}, so Feast would miss this"
                " file's objects and delete them from the registry. Nothing was written. Rename the file."
            )


def _origin(name: str) -> Path | None:
    try:
        spec = find_spec(name)
    except (ModuleNotFoundError, ValueError):
        return None
    if spec is None or spec.origin is None or not Path(spec.origin).exists():
        return None
    return Path(spec.origin).resolve()
