"""Credentials that this client holds and that lead past every gate, as ``provender plan`` warns of them.

Whoever has a store's own credentials needs no Feast: no gate here can stop a direct read. Rules of the stores can, and
``docs/threats.md`` gives them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from api.settings import FEAST_FILE, Settings
from governance.assets import Definitions
from governance.verdict import Finding, Level

RULE = "credentials.held"
S3_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
OURS = frozenset({"file", "s3", "iceberg", "kafka"})
"""Schemes of sources whose state is recorded with every read, or that are no store."""

_IN_URL = re.compile(r"://[^/@\s]*:[^/@\s]+@")
_IN_REDIS = re.compile(r"(?:^|,)\s*password=", re.IGNORECASE)


def held_credentials(
    settings: Settings, definitions: Definitions, *, places: Mapping[str, tuple[str, ...]], environ: Mapping[str, str]
) -> tuple[Finding, ...]:
    """What to warn of, sorted; never a secret itself.

    :param places: role → canonical URIs of the configured stores
    :param environ: the environment, of which names alone are told
    """
    found = [
        *_passwords("online_store", settings.document.get("online_store")),
        *_passwords("offline_store", settings.document.get("offline_store")),
        *_passwords("governance", {"database": settings.governance.database}),
        *_buckets(definitions, places, environ),
        *_foreign(definitions),
    ]
    return tuple(sorted(found, key=lambda one: (one.object, one.message)))


def _passwords(block: str, said: Any) -> Iterator[Finding]:
    for name, value in sorted(said.items() if isinstance(said, Mapping) else ()):
        if isinstance(value, Mapping):
            yield from _passwords(f"{block}: {name}", value)
        elif _is_secret(str(name), value):
            yield _held(
                f"configuration:{block}",
                f"`{block}: {name}:` holds a password",
                "give this client a user of its own, with the rights that docs/threats.md lists for this store",
            )


def _is_secret(name: str, value: Any) -> bool:
    if not isinstance(value, str) or not value:
        return False
    named = "password" in name.lower() or name.lower().endswith(("secret", "token", "secret_access_key"))
    return named or bool(_IN_URL.search(value) or _IN_REDIS.search(value))


def _buckets(
    definitions: Definitions, places: Mapping[str, tuple[str, ...]], environ: Mapping[str, str]
) -> Iterator[Finding]:
    keys = [name for name in S3_SECRETS if environ.get(name)]
    buckets = _on_s3([uri for uris in places.values() for uri in uris])
    buckets |= _on_s3(uri for asset in definitions.assets for uri in asset.places)
    if keys and buckets:
        yield _held(
            "environment:S3",
            f"{keys[0]} is set, which opens {', '.join(sorted(buckets))} to this client",
            "leave the keys to the governed processes, and have the bucket refuse all others, as in docs/threats.md",
        )


def _on_s3(uris: Iterable[str]) -> set[str]:
    return {"/".join(uri.split("/")[:3]) for uri in uris if uri.startswith("s3://")}


def _foreign(definitions: Definitions) -> Iterator[Finding]:
    for asset in definitions.assets:
        schemes = sorted({uri.partition("://")[0] for uri in asset.places} - OURS)
        if asset.kind == "data_source" and schemes:
            yield _held(
                asset.key,
                f"lies in {', '.join(schemes)}, whose rows are read with credentials of its own",
                "let the governed processes alone read it there, as in docs/threats.md",
                location=asset.location,
            )


def _held(where: str, message: str, fix: str, *, location: str | None = FEAST_FILE) -> Finding:
    return Finding(rule=RULE, object=where, level=Level.AUDIT, path=(), message=message, fix=fix, location=location)
