"""Who may import whom, and what is never loaded by a command that must start quickly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
FRAMEWORKS = {"feast", "great_expectations", "kserve", "kubeflow", "model_signing", "pandas", "pyarrow", "sqlalchemy"}
HEAVY = FRAMEWORKS | {"duckdb", "fastapi", "torch", "uvicorn"}
CRYPTOGRAPHY = {"cryptography", "cffi", "_cffi_backend", "_openssl"}
LISTING = "import json, sys; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"


def loaded_by(code: str) -> set[str]:
    """The modules in a fresh interpreter after ``code``, without those that are there after nothing at all."""
    return _modules_after(code) - _modules_after("pass")


def _modules_after(code: str) -> set[str]:
    command = [sys.executable, "-c", f"{code}\n{LISTING}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def top(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_every_import_contract_is_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", ["governance", "lineage", "audit", "api"])
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    assert not top(loaded_by(f"import {package}")) & HEAVY


def test_the_command_line_starts_without_any_framework() -> None:
    assert not top(loaded_by("import api.cli.main")) & HEAVY


def test_help_is_printed_without_any_framework() -> None:
    code = "import sys\nfrom api.cli.main import main\nsys.argv = ['provender', '--help']\ntry:\n    main()\n"
    assert not top(loaded_by(code + "except SystemExit as stop:\n    assert not stop.code\n")) & HEAVY


def test_the_offline_verifier_loads_only_the_standard_library_and_cryptography() -> None:
    loaded = loaded_by("import audit.verify")
    assert top(loaded) <= set(sys.stdlib_module_names) | {"audit", *CRYPTOGRAPHY}
    assert {name for name in loaded if name.startswith("audit.")} == _verifier(loaded)


def test_the_offline_verifier_imports_nothing_else_even_inside_functions() -> None:
    graph = grimp.build_graph("audit", include_external_packages=True, cache_dir=None)
    imported = {name for module in _verifier(graph.modules) for name in graph.find_modules_directly_imported_by(module)}
    assert top(imported - _verifier(imported)) <= set(sys.stdlib_module_names) | {"cryptography"}


def _verifier(modules: set[str]) -> set[str]:
    return {name for name in modules if name == "audit.verify" or name.startswith("audit.verify.")}
