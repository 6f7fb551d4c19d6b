"""Makes ``.venv`` and installs into it what ``lock.txt`` names, then Provender itself in place.

Run by ``make setup`` with any Python from 3.11 on and nothing else. A stamp inside the environment says what it was
made from: when that is still so, nothing is done; when a setup was interrupted there is no stamp, and it starts anew.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "lock.txt"
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
STAMP = ENVIRONMENT / "provender-setup"
LOG = ENVIRONMENT / "setup.log"
TICK = 15.0
"""Seconds between two lines of progress."""


def main() -> int:
    """Exit code 0 when the environment is ready, 1 when a step failed, 2 when this Python is too old."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this script is what tells the user so
        print(f"Python {sys.version.split()[0]} found, 3.11 or newer expected: make setup PYTHON=python3.11")
        return 2
    wanted = _made_from()
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return 0
    try:
        _make(wanted)
    except KeyboardInterrupt:
        print("\nset-up interrupted; `make setup` starts it anew")
        return 130
    except subprocess.CalledProcessError as error:
        tail = LOG.read_text(errors="replace").splitlines()[-12:] if LOG.is_file() else []
        print("\n".join([*tail, f"set-up failed at: {' '.join(map(str, error.cmd))}", f"everything pip said: {LOG}"]))
        return 1
    return 0


def _made_from() -> str:
    """A digest over the Python, the place, the lock file and the parts of pyproject.toml that an installation reads."""
    import tomllib  # not there before 3.11

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    installed = repr((sys.version, str(ROOT), project["build-system"], project["project"], project["tool"]["hatch"]))
    return hashlib.sha256(installed.encode() + LOCK.read_bytes()).hexdigest() + "\n"


def _make(wanted: str) -> None:
    begun = time.monotonic()
    fresh = not STAMP.is_file()
    STAMP.unlink(missing_ok=True)
    if fresh:
        print(f"making {ENVIRONMENT.name} with Python {sys.version.split()[0]}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
    total = sum("==" in line for line in LOCK.read_text().splitlines())
    print(f"installing {total} packages at locked versions (about 2.3 GB on disk; minutes the first time)", flush=True)
    _pip("install", "-r", LOCK)
    _pip("install", "--no-deps", "--no-build-isolation", "-e", ROOT)
    _pip("check")
    STAMP.write_text(wanted)
    print(f"{ENVIRONMENT.name} is ready after {time.monotonic() - begun:.0f} s", flush=True)


def _pip(*arguments: str | Path) -> None:
    """Runs pip with its words in the log, and prints a line of progress every ``TICK`` seconds."""
    command = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    with LOG.open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL) as process:
        try:
            _watch(process)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def _watch(process: subprocess.Popen[bytes]) -> None:
    begun = time.monotonic()
    while process.poll() is None:
        try:
            process.wait(TICK)
        except subprocess.TimeoutExpired:
            print(f"  {time.monotonic() - begun:4.0f} s  {_progress()}", flush=True)


def _progress() -> str:
    installed = len(list(ENVIRONMENT.glob("lib/python*/site-packages/*.dist-info")))
    collected = LOG.read_text(errors="replace").count("\nCollecting ")
    return f"{collected} collected, {installed} installed"


if __name__ == "__main__":
    sys.exit(main())
