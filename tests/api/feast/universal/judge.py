"""Run Feast's universal offline-store tests against our store: ``judge.py CHECKOUT [pytest options]``.

CHECKOUT is a clone of https://github.com/feast-dev/feast at the version that is installed here. Its test suite is in
no package, and none of it is in this repository. The environment needs what that suite imports besides ours
(``pip install testcontainers minio``). Each way of running the store is one run of pytest; a failure makes the exit
code 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]

SUITES = ("tests/universal/offline_store", "tests/integration/offline_store/test_offline_write.py")
"""What concerns a store of files; great_expectations before 1.0, which test_dqm_validation needs, is not ours."""

WAYS = ("open", "governed")
"""Without and with the governed provider around the store; see ``judged_stores.py``."""


def main(checkout: Path, options: list[str]) -> int:
    """The exit code: 0 where every way passed."""
    suite = checkout / "sdk" / "python" / "tests"
    if not (suite / "universal").is_dir():
        print(f"There is no {suite / 'universal'}. Expected a checkout of feast-dev/feast.", file=sys.stderr)  # noqa: T201 # a script talks
        return 2
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "tests").symlink_to(suite)  # its tests, with the feast that is installed here
        return max(_judged(way, place, options) for way in WAYS)


def _judged(way: str, place: Path, options: list[str]) -> int:
    print(f"Feast's universal tests, {way}:", flush=True)  # noqa: T201 # likewise
    environment = {
        **os.environ,
        "FULL_REPO_CONFIGS_MODULE": "judged_stores",
        "FEAST_IS_LOCAL_TEST": "True",
        "PROVENDER_JUDGED": way,
        "PYTHONPATH": os.pathsep.join([str(place), str(HERE), str(ROOT)]),
    }
    found = [suite for suite in SUITES if (place / suite).exists()]
    own = ["-c", os.devnull, "--rootdir", str(place), "-p", "no:cacheprovider", "--integration", "-q"]
    left_out = ["--ignore-glob=*/test_dqm_validation.py", "-W", "ignore"]
    command = [sys.executable, "-m", "pytest", *own, *left_out, *options, *found]
    return min(1, subprocess.run(command, cwd=place, env=environment, check=False).returncode)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
