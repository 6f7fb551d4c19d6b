"""Which FeatureStore opens a registry: Feast hands a registry its ``registry:`` block and nothing of the rest."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FrameType

from feast import FeatureStore
from feast.repo_config import RegistryConfig


def opener(opens: Callable[[RegistryConfig], bool]) -> FeatureStore | None:
    """The FeatureStore that is just being asked for such a registry; None where a registry is opened by itself.

    Feast makes its registry within a method of the ``FeatureStore``, which knows the whole configuration.
    """
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        found = frame.f_locals.get("self")
        if isinstance(found, FeatureStore) and opens(found.config.registry):
            return found
        frame = frame.f_back
    return None
