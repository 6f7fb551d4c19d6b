"""Labels as records carry them, as an asset that can be judged: what flows on from a snapshot to jobs and endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.assets import Asset
from governance.label_types import PII, PURPOSE, RESIDENCY

NOWHERE = "nowhere"
"""What an empty residency reads as: no zone, so that it is refused as one that means nothing."""


def snapshot_asset(name: str, labels: Mapping[str, Any], *, project: str) -> Asset:
    """The snapshot of that name with the labels of its record (:meth:`governance.labels.EffectiveLabels.as_json`)."""
    return Asset(kind="snapshot", name=name, project=project, tags=_tags(labels), definition={"labels": dict(labels)})


def _tags(labels: Mapping[str, Any]) -> Mapping[str, str]:
    tags = {name: ",".join(values) for name, values in labels["custom"].items()}
    tags |= {
        name: ",".join(labels[name]) or NOWHERE for name in (RESIDENCY, PURPOSE) if name not in labels["undeclared"]
    }
    return tags | ({PII: "true"} if labels["pii"] else {})
