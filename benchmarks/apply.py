"""What governance adds to ``feast apply`` in a large repository: ``python benchmarks/apply.py [VIEWS]``.

10,000 feature views with 20 fields each by default, a source for ten of them and a service for twenty. The same
repository is applied by Feast's own command to its file registry, and governed to a registry in a directory, in turns.
Printed are medians of later applies, which change one view each, and their ratio, which is to be at most 1.1. Beside it
stands the same change of that view alone by the SDK, where Feast looks at nothing else and we still judge the whole.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from plain_and_governed import GOVERNED, PLAIN, repository

ROUNDS = 3
DEFINITIONS = """
from feast import Entity, FeatureService, FeatureView, Field, FileSource
from feast.types import Float64, Int64

LABELS = {{"residency": "DE"}}
OTHER = {{"owner": "o", "online": False}}
patient = Entity(name="patient", join_keys=["patient_id"], owner="o")
fields = [Field(name="patient_id", dtype=Int64), *(Field(name=f"f{{one}}", dtype=Float64) for one in range(20))]
sources = [
    FileSource(name=f"source_{{one}}", path=f"data/{{one}}.parquet", timestamp_field="t", owner="o", tags=LABELS)
    for one in range({views} // 10 + 1)
]
views = [
    FeatureView(name=f"view_{{one}}", entities=[patient], schema=fields, source=sources[one // 10], **OTHER)
    for one in range({views})
]
views[7].tags = {{"round": "{round}"}}
services = [
    FeatureService(name=f"service_{{one}}", features=views[one * 20 : one * 20 + 20], owner="o")
    for one in range({views} // 20)
]
globals().update({{f"object_{{number}}": one for number, one in enumerate([*sources, *views, *services])}})
"""


def by_command(path: Path, views: int, number: int) -> float:
    """Seconds that ``feast apply`` takes after one view was changed."""
    (path / "definitions.py").write_text(DEFINITIONS.format(views=views, round=number))
    start = time.perf_counter()
    feast = str(Path(sys.executable).with_name("feast"))
    subprocess.run([feast, "apply", "--skip-source-validation"], cwd=path, check=True, capture_output=True)  # noqa: S603
    return time.perf_counter() - start


def by_sdk(path: Path, number: int) -> float:
    """Seconds that it takes to open the store, change one view and apply that alone."""
    code = f"""
import time, warnings
warnings.simplefilter("ignore")
from feast import FeatureStore
start = time.perf_counter()
store = FeatureStore(repo_path=".")
view = store.get_feature_view("view_7")
view.tags = {{"sdk": "{number}"}}
store.apply(view)
print(time.perf_counter() - start)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=path, check=True, capture_output=True, text=True)  # noqa: S603
    return float(done.stdout.split()[-1])


def measured(ways: Mapping[str, Path], act: Callable[[Path, int], float]) -> dict[str, float]:
    """Medians of what ``act`` gives, the ways in turns."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(1, ROUNDS + 1):
        for name, path in ways.items():
            times[name].append(act(path, number))
    return {name: statistics.median(one) for name, one in times.items()}


def main() -> None:
    """Print the table."""
    views = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    root = Path(__file__).resolve().parents[1]
    os.environ["PYTHONPATH"] = str(root)
    with tempfile.TemporaryDirectory() as folder:
        plain, governed = (
            repository(Path(folder) / name, one) for name, one in (("plain", PLAIN), ("governed", GOVERNED))
        )
        ways = {"Feast, file registry": plain, "governed": governed}
        for path in ways.values():
            by_command(path, views, 0)
        print(f"{views} views, {(plain / 'data/registry.db').stat().st_size / 1e6:.1f} MB of registry; seconds")
        for what, act in (
            ("feast apply", lambda path, number: by_command(path, views, number)),
            ("SDK, that view alone", by_sdk),
        ):
            medians = measured(ways, act)
            for name, seconds in medians.items():
                print(f"{what:<24}{name:<24}{seconds:>8.2f}")
            print(f"{'':<24}{'ratio':<24}{medians['governed'] / medians['Feast, file registry']:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
