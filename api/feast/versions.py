"""Versions of feature views as verdicts know them: ``feature_view:labs@v2`` beside the view as it is now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto

from api.feast.feature_refs import judged_name
from api.feast.picture import draw
from governance.assets import VIEW_KINDS, Asset, Definitions


class VersionedDefinitions(Definitions):
    """What a registry defines, with old versions of views beside it; the definition version is the registry's."""

    def __init__(self, head: Definitions, versions: Iterable[Asset]) -> None:
        super().__init__(head.project, (*head.assets, *versions))
        self._head = head

    @property
    def digest(self) -> str:
        """The definition version of the registry."""
        return self._head.digest


def with_versions(
    head: Definitions, views: Iterable[Any], registry: RegistryProto, *, project: str, repo: Path
) -> Definitions:
    """``head`` and those of ``views`` that were asked for by version, each under ``view@vN``.

    An old version is judged by what it says itself (its labels, its source), with everything else as it is now.
    """
    old = {judged_name(view): view for view in views if judged_name(view) != view.name}
    if not old:
        return head
    versions = [_version(name, view, registry, project=project, repo=repo) for name, view in sorted(old.items())]
    return VersionedDefinitions(head, versions)


def _version(name: str, view: Any, registry: RegistryProto, *, project: str, repo: Path) -> Asset:
    """The asset of a view in a registry where it stands in place of the one of its name."""
    then = RegistryProto()
    then.CopyFrom(registry)
    own = view.to_proto()
    for field in then.DESCRIPTOR.fields:
        if field.name.removesuffix("s") in VIEW_KINDS:
            there = getattr(then, field.name)
            kept = [one for one in there if one.spec.name != view.name]
            del there[:]
            there.extend([*kept, own] if field.message_type is own.DESCRIPTOR else kept)
    drawn = draw(then, project=project, repo=repo)
    found = next(drawn[key] for kind in VIEW_KINDS if (key := f"{kind}:{view.name}") in drawn)
    return replace(found, name=name)
