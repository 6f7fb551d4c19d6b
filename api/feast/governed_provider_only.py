"""A governed registry serves a governed provider only.

Feast hands a registry store its ``registry:`` block alone, and any provider may be configured beside it. One that is
not governed would make infrastructure, retrieve and serve past the policy. So the store looks who opens it.
"""

from __future__ import annotations

from feast import FeatureStore
from feast.infra.provider import PROVIDERS_CLASS_FOR_TYPE

from governance.errors import ConfigurationError


def refuse_ungoverned_provider(store: FeatureStore | None) -> None:
    """Raise ConfigurationError where ``store``, which opens a governed registry, has another provider than ours."""
    if store is not None and not _governed(str(store.config.provider)):
        raise ConfigurationError(
            f"The registry is governed, but `provider:` is {store.config.provider!r}: it would store, retrieve and"
            " serve past the policy. Set `provider: api.feast.GovernedProvider`. Nothing was read or written."
        )


def _governed(name: str) -> bool:
    from feast.importer import import_class

    from api.feast.provider import GovernedProvider  # which opens registries itself

    module, _, cls = PROVIDERS_CLASS_FOR_TYPE.get(name, name).rpartition(".")
    return bool(module) and issubclass(import_class(module, cls, "Provider"), GovernedProvider)
