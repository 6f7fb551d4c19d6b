"""Where a governed registry lies: what ``registry: path:`` names."""

from __future__ import annotations

from feast.repo_config import RegistryConfig

from api.settings import Settings
from lineage.refs import Refs, open_refs


def registry_refs(settings: Settings, registry: RegistryConfig) -> Refs:
    """A directory below the repository, ``s3://bucket/prefix`` or a database.

    Raises ConfigurationError for anything else, DatabaseUnreachable for a database that cannot be opened.
    """
    from lineage.sources.s3 import S3Access

    return open_refs(registry.path or "", base=settings.repo, access=S3Access(endpoint=settings.s3_endpoint))
