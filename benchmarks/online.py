"""What governance adds to an online read: ``python benchmarks/online.py [READS]``.

The same features of one view, in SQLite, are read one entity at a time through plain Feast and through the governed
provider, in turns of a hundred, by references and by a feature service. The aim is 50 microseconds more at the 99th
percentile, and no growth of memory with the number of reads.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from plain_and_governed import GOVERNED, PLAIN, repository

TURN = 100


def opened(path: Path, configuration: Mapping[str, Any]) -> Any:
    """A store with a thousand entities and ten features online."""
    from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, ValueType
    from feast.types import Float64, Int64

    repository(path, configuration)
    columns = {f"f{one}": [float(one)] * 1000 for one in range(10)}
    rows = pd.DataFrame({"key": range(1000), **columns, "event_timestamp": datetime(2026, 1, 1, tzinfo=UTC)})
    rows.to_parquet(path / "data/rows.parquet")
    entity = Entity(name="key", join_keys=["key"], value_type=ValueType.INT64, owner="o")
    source = FileSource(
        name="rows",
        path=str(path / "data/rows.parquet"),
        timestamp_field="event_timestamp",
        owner="o",
        tags={"residency": "DE"},
    )
    fields = [Field(name="key", dtype=Int64), *(Field(name=name, dtype=Float64) for name in columns)]
    view = FeatureView(name="view", entities=[entity], schema=fields, source=source, owner="o")
    store = FeatureStore(repo_path=str(path))
    store.apply([entity, source, view, FeatureService(name="service", features=[view], owner="o")])
    store.materialize(datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    return store


def microseconds(store: Any, features: Any, first: int) -> list[float]:
    """How long each read of a turn takes."""
    found = []
    for number in range(first, first + TURN):
        start = time.perf_counter_ns()
        store.get_online_features(features=features, entity_rows=[{"key": number % 1000}])
        found.append((time.perf_counter_ns() - start) / 1000)
    return found


def late_of(times: list[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(times, n=100)[98]


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    reads = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        stores = {name: opened(Path(folder) / name, one) for name, one in (("Feast", PLAIN), ("governed", GOVERNED))}
        references = [f"view:f{one}" for one in range(10)]
        print(f"{'microseconds':<36}{'median':>10}{'p99':>10}")
        for what, asked in (
            ("references", dict.fromkeys(stores, references)),
            ("feature service", {name: one.get_feature_service("service") for name, one in stores.items()}),
        ):
            times: dict[str, list[float]] = {name: [] for name in stores}
            for turn in range(-1, reads // TURN):
                for name, store in stores.items():
                    found = microseconds(store, asked[name], turn * TURN)
                    times[name] += found if turn >= 0 else []
                if turn == reads // TURN // 2:
                    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            marks = {
                name: (statistics.median(one), statistics.quantiles(one, n=100)[98]) for name, one in times.items()
            }
            for name, (middle, late) in marks.items():
                print(f"{what + ', ' + name:<36}{middle:>10.0f}{late:>10.0f}")
            plain, governed = marks.values()
            print(f"{'governance adds':<36}{governed[0] - plain[0]:>10.0f}{governed[1] - plain[1]:>10.0f}")
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            print(f"{'memory in the second half of reads':<36}{grown / 1024:>9.1f} MiB", flush=True)


if __name__ == "__main__":
    main()
