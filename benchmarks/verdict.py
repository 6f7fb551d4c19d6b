"""How long a verdict takes on a large repository: ``python benchmarks/verdict.py [VIEWS]``.

10,000 feature views with 20 fields each and 500 services by default, the packs residency and ownership, and
one rule in CEL. The aim is less than one second for labels and verdict together.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from governance.assets import Asset, Definitions, Field, Input
from governance.decide import decide
from governance.labels import Labels
from governance.plan import changes
from governance.policy_file import parse_policy

T = TypeVar("T")

POLICY = b"""version: 1
zones: {EU: [DE, FR]}
places: [{match: "file://**", zone: DE}, {match: "redis://*:6379/*", zone: DE}]
packs: [residency, ownership]
rules:
  - {id: ttl.bounded, on: feature_view, when: "ttl_seconds == 0", gates: [apply], message: "values count for ever"}
"""


def repository(views: int) -> Definitions:
    """A repository of so many views: one source for ten of them, one service for twenty."""
    assets = [_source(number) for number in range(views // 10 + 1)]
    assets += [_view(number) for number in range(views)]
    assets += [_service(number, views) for number in range(views // 20)]
    return Definitions("bench", assets)


def _source(number: int) -> Asset:
    tags = {"residency": "DE,FR" if number % 2 else "EU"}
    place = (f"file:///data/{number}.parquet",)
    definition = {"path": place[0]}
    name = f"source_{number}"
    return Asset(
        kind="data_source", name=name, project="bench", owner="o", tags=tags, places=place, definition=definition
    )


def _view(number: int) -> Asset:
    sensitive = {"pii": "true"}
    return Asset(
        kind="feature_view",
        name=f"view_{number}",
        project="bench",
        owner="o",
        tags={"residency": "DE"} if number % 3 == 0 else {},
        fields=tuple(Field(f"f{one}", "Float64", sensitive if one == 0 else {}) for one in range(20)),
        inputs=(Input(f"data_source:source_{number // 10}"),),
        facts={"online": True, "ttl_seconds": 3600},
        definition={"features": [{"name": f"f{one}", "valueType": "DOUBLE"} for one in range(20)], "ttl": "3600s"},
    )


def _service(number: int, views: int) -> Asset:
    read = tuple(Input(f"feature_view:view_{(number * 20 + one) % views}", ("f1", "f2")) for one in range(20))
    name = f"service_{number}"
    return Asset(kind="feature_service", name=name, project="bench", inputs=read, definition={"views": len(read)})


def timed(what: str, act: Callable[[], T]) -> T:
    """Do it and print how long it took."""
    start = time.perf_counter()
    result = act()
    print(f"{what:<42} {time.perf_counter() - start:8.3f} s")
    return result


def main() -> None:
    """Print the times."""
    views = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    today = datetime.now(UTC).date()
    policy = timed("read the policy", lambda: parse_policy(POLICY, name="policy.yaml"))
    definitions = timed(f"draw {views} views", lambda: repository(views))
    timed("definition version (once per registry)", lambda: definitions.digest)
    timed("order of the graph (once per registry)", lambda: definitions.graph.order)
    timed("labels alone", lambda: Labels(definitions, policy, today=today))
    places = {"online_store": ("redis://cache:6379/0",), "registry": ("file:///data/registry",)}
    verdict = timed(
        "labels and verdict, all objects",
        lambda: decide(definitions, policy, gate="apply", places=places, today=today),
    )
    changed = [replace(one, definition={"ttl": "1s"}) if one.name == "view_7" else one for one in definitions.assets]
    proposed = Definitions("bench", changed)
    timed("what differs from another version", lambda: list(changes(definitions, proposed)))
    asked = ["feature_service:service_1"]
    timed(
        "labels and verdict, one service",
        lambda: decide(definitions, policy, gate="retrieve", places=places, objects=asked, today=today),
    )
    print(verdict.text().splitlines()[0])


if __name__ == "__main__":
    main()
