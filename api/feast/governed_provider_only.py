"""A governed registry serves a governed provider only.

Feast hands a registry store its ``registry:`` block alone, and any provider may be configured beside it. One that is
not governed would make infrastructure, retrieve and serve past the policy. So the store looks who opens it: Feast makes
its registry within a method of the ``FeatureStore``, which knows the whole configuration.
"""

from __future__ import annotations

import inspect
from types import FrameType

from feast import FeatureStore
from feast.infra.provider import PROVIDERS_CLASS_FOR_TYPE
from feast.repo_config import RegistryConfig

from governance.errors import ConfigurationError


def refuse_ungoverned_provider(registry: RegistryConfig) -> None:
    """Raise ConfigurationError where the FeatureStore that opens ``registry`` has another provider than ours."""
    name = _provider(registry)
    if name is not None and not _governed(name):
        raise ConfigurationError(
            f"The registry is governed, but `provider:` is {name!r}: it would store, retrieve and serve past the"
            " policy. Set `provider: api.feast.GovernedProvider`. Nothing was read or written."
        )


def _provider(registry: RegistryConfig) -> str | None:
    """What the FeatureStore names that is being asked for this registry; None where a registry is opened by itself."""
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        opener = frame.f_locals.get("self")
        if isinstance(opener, FeatureStore) and opener.config.registry is registry:
            return str(opener.config.provider)
        frame = frame.f_back
    return None


def _governed(name: str) -> bool:
    from feast.importer import import_class

    from api.feast.provider import GovernedProvider  # which opens registries itself

    module, _, cls = PROVIDERS_CLASS_FOR_TYPE.get(name, name).rpartition(".")
    return bool(module) and issubclass(import_class(module, cls, "Provider"), GovernedProvider)
