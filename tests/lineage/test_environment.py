"""The environment digest is a function of the installed distributions alone."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

from governance.canonical import json_sha256
from lineage.environment import Distribution, observe_environment


def installed(folder: Path, name: str, version: str, record: str | None) -> metadata.Distribution:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if record is not None:
        (info / "RECORD").write_text(record)
    return metadata.PathDistribution(info)


def test_the_digest_is_of_the_sorted_list_of_name_version_and_record(tmp_path: Path) -> None:
    b = installed(tmp_path, "B_pkg.x", "2.0", None)
    a = installed(tmp_path, "a", "1.0", "a.py,sha256=abc,1\n")

    environment = observe_environment(distributions=[b, a])

    record = hashlib.sha256(b"a.py,sha256=abc,1\n").hexdigest()
    assert environment.distributions == (Distribution("a", "1.0", record), Distribution("b-pkg-x", "2.0", None))
    assert environment.sha256 == json_sha256([["a", "1.0", record], ["b-pkg-x", "2.0", None]])


def test_another_build_of_the_same_version_is_another_environment(tmp_path: Path) -> None:
    one = observe_environment(distributions=[installed(tmp_path / "1", "a", "1.0", "a.py,sha256=abc,1\n")])
    two = observe_environment(distributions=[installed(tmp_path / "2", "a", "1.0", "a.py,sha256=abd,1\n")])

    assert one.sha256 != two.sha256


def test_this_environment_is_described_twice_alike() -> None:
    environment = observe_environment()

    assert environment == observe_environment()
    assert "torch" in {distribution.name for distribution in environment.distributions}
