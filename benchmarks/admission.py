"""How long the admission webhook takes for one review: ``python benchmarks/admission.py [REVIEWS]``.

A TrainJob with one snapshot is asked about over TLS on loopback, on a connection that stays open, as an API server's
does; beside it the same application's ``/healthz``, which judges and records nothing. The aim is less than 20 ms.
"""

from __future__ import annotations

import json
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from api.kubernetes.admission import Admission  # noqa: E402 - found from here on
from api.kubernetes.application import serve_admission  # noqa: E402
from tests.api.kubernetes.certificates import made  # noqa: E402
from tests.api.kubernetes.reviews import POOL, review, train_job  # noqa: E402
from tests.api.recorded import governed_parts, stored  # noqa: E402


def milliseconds(act: Callable[[], object], times: int) -> list[float]:
    """How long ``act`` takes each time."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        found.append((time.perf_counter() - start) * 1000)
    return found


def main() -> None:
    """Print the table."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with tempfile.TemporaryDirectory() as folder:
        repo = Path(folder)
        policy = 'version: 1\nzones: {EU: [DE]}\nplaces: [{match: "k8s://**", zone: DE}]\npacks: [residency]\n'
        parts, files = governed_parts(repo, policy), made(repo)
        snapshot, address = stored(parts), threading.Event()
        urls: list[str] = []

        def ready(url: str) -> None:
            urls.append(url)
            address.set()

        arguments = {"certificate": files.certificate, "key": files.key, "port": 0, "ready": ready}
        admission = Admission(parts, "prod", POOL)
        threading.Thread(target=serve_admission, args=[admission], kwargs=arguments, daemon=True).start()
        address.wait()
        with httpx.Client(verify=ssl.create_default_context(cafile=files.authority), base_url=urls[0]) as client:

            def ask(*, dry: bool) -> None:
                document = json.dumps(review(train_job(snapshot.id), dryRun=dry))
                assert client.post("/validate", content=document).json()["response"]["allowed"]  # noqa: S101

            ways: dict[str, Callable[[], object]] = {
                "nothing (/healthz)": lambda: client.get("/healthz"),
                "judged (dry run)": lambda: ask(dry=True),
                "judged and recorded": lambda: ask(dry=False),
            }
            print(f"{'milliseconds':<24}{'median':>8}{'p99':>8}")
            for name, act in ways.items():
                milliseconds(act, 10)
                found = milliseconds(act, times)
                print(f"{name:<24}{statistics.median(found):>8.1f}{statistics.quantiles(found, n=100)[98]:>8.1f}")


if __name__ == "__main__":
    main()
