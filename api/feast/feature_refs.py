"""Feature references as Feast writes them: ``view:feature``, ``view@v2:feature``, ``view@latest:feature``."""

from __future__ import annotations

from typing import Any

from feast.utils import _parse_feature_ref


def view_and_feature(ref: str) -> tuple[str, str]:
    """The view as ``projection.name_to_use()`` names it (``view`` or ``view@v2``), and the feature.

    Raises ValueError for what is no reference.
    """
    name, version, feature = _parse_feature_ref(ref)
    return (name if version is None else f"{name}@v{version}"), feature


def column_prefix(view: Any) -> str:
    """What stands before ``__`` in full feature names of ``view``: its alias or name, never its version."""
    projection = getattr(view, "projection", None)
    return str(getattr(projection, "name_alias", None) or view.name)


def judged_name(view: Any) -> str:
    """Under which name the definitions know ``view``: its own, with the version where one is asked for."""
    version = getattr(getattr(view, "projection", None), "version_tag", None)
    return str(view.name) if version is None else f"{view.name}@v{version}"
