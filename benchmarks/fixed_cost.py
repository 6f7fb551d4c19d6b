"""What governance adds to a tiny retrieval: ``python benchmarks/fixed_cost.py [--repeats N]``.

Ten entity rows and one view of the example, with the same offline store: once under Feast alone, once governed; and
the whole service with its suite. Calls alternate in one warm process; the median of each is shown, then where the time
of a governed call goes, and its commits, statements and synchronisations to disk.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import runpy
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "feature_repo"
ONE_VIEW = ["laboratory:bilirubin_mg_dl", "laboratory:albumin_g_dl", "laboratory:platelets_per_nl"]
PLAIN = {"provider": "local", "registry": "data/plain.db", "offline_store": {"type": "api.feast.AsofOfflineStore"}}


def repository(place: Path, *, governed: bool) -> Any:
    """A copy of the example, applied; its store."""
    import yaml
    from feast import FeatureStore
    from feast.repo_operations import parse_repo

    hidden = shutil.ignore_patterns("data", "variants", "prepare", "training", "*.md", "__pycache__")
    shutil.copytree(EXAMPLE, place, ignore=hidden)
    runpy.run_path(str(EXAMPLE / "prepare" / "sources.py"))["make_sources"](place)
    if not governed:
        file = place / "feature_store.yaml"
        document = {key: value for key, value in yaml.safe_load(file.read_text()).items() if key != "governance"}
        file.write_text(yaml.safe_dump(document | PLAIN))
    store = FeatureStore(repo_path=str(place))
    with working_in(place):
        found = parse_repo(place)
    kinds = ("data_sources", "entities", "feature_views", "on_demand_feature_views", "feature_services")
    store.apply([each for kind in kinds for each in getattr(found, kind)])
    for name in [one for one in sys.modules if one.startswith("liver_")]:
        del sys.modules[name]
    return store


@contextmanager
def working_in(place: Path) -> Iterator[None]:
    """Feast names modules relative to the working directory."""
    here = Path.cwd()
    sys.path.append(str(place))
    os.chdir(place)
    try:
        yield
    finally:
        os.chdir(here)
        sys.path.remove(str(place))


def entity_rows(place: Path) -> Any:
    """Ten patients at one moment."""
    import pandas as pd

    known = pd.read_parquet(place / "data" / "sources" / "laboratory.parquet")["patient_id"].unique()[:10]
    return pd.DataFrame({"patient_id": known, "event_timestamp": datetime(2020, 1, 1, tzinfo=UTC)})


def ungoverned(store: Any, rows: Any, features: Any) -> Any:
    """The rows under Feast's own provider: our store gives them within acts only, so an empty act is made of it."""
    from api.feast.own_acts import own_act

    with own_act():
        return store.get_historical_features(rows, features).to_arrow()


def alternating(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, tuple[float, float]]:
    """Median milliseconds of each by the clock and by the processor, in turns, after three warm rounds."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(repeats + 3):
        for name, call in calls.items():
            clock, processor = time.perf_counter(), time.process_time()
            call()
            taken[name].append(((time.perf_counter() - clock) * 1000, (time.process_time() - processor) * 1000))
    return {
        name: (statistics.median(one for one, _ in times[3:]), statistics.median(one for _, one in times[3:]))
        for name, times in taken.items()
    }


def counted(engine: Any, call: Callable[[], object]) -> Counter[str]:
    """Commits, statements and synchronisations of one call."""
    from sqlalchemy import event

    seen: Counter[str] = Counter()
    real = os.fsync

    def fsync(handle: int) -> None:
        seen["fsync of files"] += 1
        real(handle)

    def commit(_connection: object) -> None:
        seen["commits"] += 1

    def statement(*_arguments: object) -> None:
        seen["SQL statements"] += 1

    os.fsync = fsync
    event.listen(engine, "commit", commit)
    event.listen(engine, "before_cursor_execute", statement)
    try:
        call()
    finally:
        os.fsync = real
        event.remove(engine, "commit", commit)
        event.remove(engine, "before_cursor_execute", statement)
    return seen


def parts_of_a_call(call: Callable[[], object], repeats: int) -> dict[str, float]:
    """Median milliseconds of each part of a governed call, by the clock; what is indented is part of what is above."""
    from api.feast.retrieval import Retrieval
    from audit.ledger import Ledger
    from audit.ledger.checkpoint import CheckpointSigner
    from lineage.recorder import Recorder

    places = {
        "START: statement, signature, one commit": (Recorder, "announce"),
        "the engine's rows, canonical": (Retrieval, "execute"),
        "digest, validation, snapshot, manifest": (Retrieval, "result"),
        "  of that, validation": (Retrieval, "_validate"),
        "COMPLETE: statement, signature, commit, ledger": (Recorder, "record"),
        "  of that, leaves": (Ledger, "_append"),
        "  of that, the checkpoint": (CheckpointSigner, "sign_latest"),
    }
    spent: dict[str, list[float]] = {name: [] for name in places}
    with ExitStack() as stack:
        for name, (owner, method) in places.items():
            stack.enter_context(timing(owner, method, spent[name]))
        for _ in range(repeats):
            call()
    return {name: statistics.median(times) for name, times in spent.items()}


@contextmanager
def timing(owner: Any, method: str, spent: list[float]) -> Iterator[None]:
    """Within, note how long each call of the method takes."""
    real = getattr(owner, method)

    def timed(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return real(*arguments, **named)
        finally:
            spent.append((time.perf_counter() - start) * 1000)

    setattr(owner, method, timed)
    try:
        yield
    finally:
        setattr(owner, method, real)


def profiled(call: Callable[[], object], lines: int) -> None:
    """Where the time of twenty calls goes, by functions of ours."""
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(20):
        call()
    profile.disable()
    pstats.Stats(profile).sort_stats("cumulative").print_stats(r"/(api|audit|lineage|governance)/", lines)


def main() -> None:
    """Prints the three medians, the differences and the breakdown."""
    options = argparse.ArgumentParser(description="fixed cost of governance")
    options.add_argument("--repeats", type=int, default=30)
    options.add_argument("--lines", type=int, default=0, help="lines of a profile to print")
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        plain = repository(Path(folder) / "plain", governed=False)
        governed = repository(Path(folder) / "governed", governed=True)
        rows = entity_rows(Path(folder) / "governed")
        service = governed.get_feature_service("liver_risk")
        calls: dict[str, Callable[[], object]] = {
            "Feast, one view": lambda: ungoverned(plain, rows, ONE_VIEW),
            "governed, one view": lambda: governed.get_historical_features(rows, ONE_VIEW).to_arrow(),
            "Feast, the service": lambda: ungoverned(plain, rows, service),
            "governed, the service, validated": lambda: governed.get_historical_features(rows, service).to_arrow(),
        }
        taken = alternating(calls, chosen.repeats)
        print(f"{'milliseconds':<48}{'clock':>8}{'processor':>11}")
        for name, (clock, processor) in taken.items():
            print(f"{name:<48}{clock:>8.1f}{processor:>11.1f}")
        one, two, three, four = taken.values()
        print(f"{'governance adds to one view':<48}{two[0] - one[0]:>8.1f}{two[1] - one[1]:>11.1f}")
        print(f"{'governance adds to the service':<48}{four[0] - three[0]:>8.1f}{four[1] - three[1]:>11.1f}")
        for name, clock in parts_of_a_call(calls["governed, the service, validated"], chosen.repeats).items():
            print(f"  {name:<46}{clock:>8.1f}")
        engine = governed._get_provider().parts.engine  # noqa: SLF001 - Feast has no other way to it
        for name, number in sorted(counted(engine, calls["governed, one view"]).items()):
            print(f"{name + ' of a governed call':<48}{number:>8}")
        if chosen.lines:
            profiled(calls["governed, the service, validated"], chosen.lines)


if __name__ == "__main__":
    main()
