"""What is installed under our names, and that lock file, metadata and changelog agree."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"governance", "lineage", "audit", "api"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked() -> dict[NormalizedName, Version]:
    lines = (ROOT / "requirements" / "lock.txt").read_text().splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in pins}


def test_no_other_distribution_owns_our_package_names() -> None:
    owners = metadata.packages_distributions()
    assert {name: owners[name] for name in PACKAGES if set(owners.get(name, [])) - {"provender"}} == {}


def test_the_console_script_is_installed_and_loads() -> None:
    (script,) = metadata.entry_points(group="console_scripts", name="provender")
    assert script.value == "api.cli.main:main"
    assert callable(script.load())


def test_every_package_declares_its_types() -> None:
    assert {package for package in PACKAGES if (ROOT / package / "py.typed").is_file()} == PACKAGES


def test_the_version_is_the_newest_of_the_changelog() -> None:
    newest = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == PROJECT["version"] == metadata.version("provender")


def test_the_lock_file_names_versions_and_nothing_else() -> None:
    lines = (ROOT / "requirements" / "lock.txt").read_text().splitlines()
    assert all(re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line) for line in lines if line)


def test_the_lock_file_satisfies_every_declared_dependency() -> None:
    declared = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    pins = locked()
    wanted = [Requirement(text) for text in declared]
    assert not [str(want) for want in wanted if not want.specifier.contains(pins[canonicalize_name(want.name)])]


def test_this_environment_is_what_the_lock_file_says() -> None:
    found = {canonicalize_name(entry.name): Version(entry.version) for entry in metadata.distributions()}
    # a local label is no other version: PyTorch's CPU build calls itself 2.13.0+cpu
    assert {
        name: str(pin) for name, pin in locked().items() if name not in found or found[name].public != pin.public
    } == {}


def test_the_wheel_holds_our_four_packages_with_their_data_files(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = [path.relative_to(ROOT) for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()]
    assert held == {path.as_posix() for path in files if "__pycache__" not in path.parts}
