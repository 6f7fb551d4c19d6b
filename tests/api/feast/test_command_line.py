"""Feast's own command line over a governed repository, each time a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
REFUSED = ROOT / "feature_repo" / "variants" / "refused"


def test_a_plain_apply_is_accepted(repository: Any) -> None:
    done = repository.cli("apply")
    assert done.returncode == 0, done.stderr
    assert [one["outcome"] for one in repository.predicates("decision")] == ["allow"]
    head = repository.head
    again = repository.invoke("-c", str(repository.path), "apply")
    assert again.exit_code == 0, again.output
    assert repository.head == head
    assert len(repository.records("decision")) == 1


def test_a_refused_apply_says_object_rule_path_and_fix(repository: Any, tmp_path: Path) -> None:
    shutil.copytree(REFUSED, repository.path, dirs_exist_ok=True)
    done = repository.cli("-c", str(repository.path), "apply", cwd=tmp_path)  # from another working directory
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    for text in ("residency", "ownership.owner", "feature_view:outcomes", "data_source:outcomes_export"):
        assert text in done.stderr
    for text in ("path:", "fix:", "mirror-fr"):
        assert text in done.stderr
    assert not (repository.path / "data/mirror-fr").exists()
    assert [one["outcome"] for one in repository.predicates("decision")] == ["deny"]
    assert list(tmp_path.iterdir()) == [repository.path]


def test_another_yaml_file_is_judged_by_what_it_says(repository: Any) -> None:
    repository.configure(
        lambda document: document["online_store"].update(path="data/mirror-fr/online.db"), "other.yaml"
    )
    done = repository.invoke("-c", str(repository.path), "-f", str(repository.path / "other.yaml"), "apply")
    assert done.exit_code == 1
    assert "mirror-fr" in done.output
    assert "Traceback" not in done.output
    assert not (repository.path / "data/mirror-fr").exists()


def test_a_broken_configuration_is_a_message_without_traceback(repository: Any) -> None:
    repository.configure(lambda document: document.pop("governance"))
    done = repository.invoke("-c", str(repository.path), "apply")
    assert done.exit_code == 2
    assert "no `governance:` block" in done.output
    assert "Traceback" not in done.output


def test_naming_the_door_does_not_import_feast() -> None:
    program = "import sys, api.feast; assert not {'feast', 'sqlalchemy', 'pandas'} & set(sys.modules); print('light')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "light\n", done.stderr
