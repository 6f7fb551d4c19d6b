"""What ``provender plan``, ``explain`` and ``policy diff`` say of a real repository, and that they touch nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from governance.canonical import json_sha256
from tests.answers import Answer

ROOT = Path(__file__).resolve().parents[3]
REFUSED = ROOT / "feature_repo" / "variants" / "refused"

PROJECT = "from feast import Project\nother = Project(name='other')\n"
LOWERED = "levels: {ownership.owner: {apply: warn}}\n"


def _files(place: Path) -> dict[str, str]:
    """Every file below a directory, with the digest of its bytes; SQLite's own shared memory is none of ours."""
    return {
        path.relative_to(place).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(place.rglob("*"))
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


def _without_owner(repository: Any) -> None:
    views = repository.path / "liver_views.py"
    views.write_text(views.read_text().replace('owner="hepatology@hospital.example"', 'owner=""'))


def _lowered(repository: Any) -> None:
    _without_owner(repository)
    with (repository.path / "policy.yaml").open("a") as policy:
        policy.write(LOWERED)


def _refused(repository: Any) -> None:
    shutil.copytree(REFUSED, repository.path, dirs_exist_ok=True)


def _without_service(repository: Any) -> None:
    (repository.path / "liver_services.py").unlink()


def _nothing(repository: Any) -> None:
    """Leave everything as it is."""


@pytest.mark.parametrize("first", [False, True], ids=["before the first apply", "on a registry"])
@pytest.mark.parametrize("change", [_nothing, _without_owner, _lowered, _refused, _without_service])
def test_plan_and_apply_give_the_same_verdict_and_plan_touches_nothing(
    repository: Any, provender: Callable[..., Answer], change: Callable[[Any], None], *, first: bool
) -> None:
    if first:
        assert repository.invoke("-c", str(repository.path), "apply").exit_code == 0
    change(repository)
    before = _files(repository.path)
    answer = provender("plan", "--repo", repository.path, "--json")
    assert _files(repository.path) == before
    decided = len(repository.records("decision"))
    applied = repository.invoke("-c", str(repository.path), "apply")
    assert answer.code == applied.exit_code
    decisions = repository.predicates("decision")[decided:]
    if not answer.document["changes"] and answer.code == 0:
        assert decisions == []
        return
    (decision,) = decisions
    beside = ("project", "repository", "registry", "recorded")
    verdict = {name: value for name, value in decision.items() if name not in beside}
    assert answer.document["verdict"] == json_sha256(verdict)


def test_a_plan_on_what_was_applied_changes_nothing(applied: Any, provender: Callable[..., Answer]) -> None:
    answer = provender("plan", "--repo", applied[0].path)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == (
        "feast apply would change no definition of liver_care.\n\nfeast apply would be allowed: no findings.\n"
    )


def test_a_denied_plan_names_lines_and_exits_with_one(repository: Any, provender: Callable[..., Answer]) -> None:
    _refused(repository)
    answer = provender("plan", "--repo", repository.path)
    assert answer.code == 1
    assert "  + feature_view:outcomes  (liver_outcomes.py:18)\n" in answer.out
    assert (
        "deny  ownership.owner  feature_view:outcomes\n"
        "      path: outcomes\n"
        "      no owner\n"
        '      fix:  name one, as in owner="team@organisation.example"\n'
        "      at:   liver_outcomes.py:18\n"
    ) in answer.out
    assert answer.out.endswith("\nfeast apply would be denied: new: 5 deny.\n")
    assert answer.err == ""


def test_what_the_last_apply_was_told_stands_apart_from_what_is_new(
    repository: Any, provender: Callable[..., Answer]
) -> None:
    _lowered(repository)
    assert repository.invoke("-c", str(repository.path), "apply").exit_code == 0
    _refused(repository)
    found = provender("plan", "--repo", repository.path, "--json").document["findings"]
    since = {(one["rule"], one["object"]): one["since"] for one in found}
    assert since["ownership.owner", "feature_view:laboratory"] == "standing"
    assert since["ownership.owner", "feature_view:outcomes"] == "new"
    assert since["residency.place", "feature_view:demographics"] == "surfaced"


def test_a_changed_and_a_removed_object_say_what_differs(applied: Any, provender: Callable[..., Answer]) -> None:
    repository, _ = applied
    _without_service(repository)
    views = repository.path / "liver_views.py"
    views.write_text(views.read_text().replace("timedelta(days=400)", "timedelta(days=30)"))
    answer = provender("plan", "--repo", repository.path)
    assert answer.out.startswith(
        "feast apply would change liver_care:\n"
        "  - feature_service:liver_risk\n"
        "  ~ feature_view:laboratory  (liver_views.py:10)\n"
        "      ttl: '34560000s' -> '2592000s'\n"
    )


def test_each_form_goes_to_its_file_and_the_facts_beside_it(
    repository: Any, provender: Callable[..., Answer], tmp_path: Path
) -> None:
    (repository.path.parent / ".git").mkdir()  # the checkout, of which the repository is a folder
    _refused(repository)
    sarif, junit, facts = (tmp_path / name for name in ("plan.sarif", "plan.xml", "facts.json"))
    answer = provender("plan", "--repo", repository.path, "--format", "sarif", "-o", sarif, "--facts", facts)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == f"Wrote {facts}\nWrote {sarif}\n"
    (run,) = json.loads(sarif.read_text())["runs"]
    places = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]}
    assert places == {f"repository/liver_{name}.py" for name in ("outcomes", "services", "views")}
    assert {one["object"] for one in json.loads(facts.read_text())["objects"]} >= {"feature_view:outcomes"}
    assert provender("plan", "--repo", repository.path, "--format", "junit", "-o", junit).code == 1
    assert '<failure type="deny (new)" message="no owner">' in junit.read_text()


def test_another_configuration_is_planned_by_what_it_says(repository: Any, provender: Callable[..., Answer]) -> None:
    repository.configure(
        lambda document: document["online_store"].update(path="data/mirror-fr/online.db"), "other.yaml"
    )
    assert provender("plan", "--repo", repository.path).code == 0
    other = provender("plan", "--repo", repository.path, "-f", repository.path / "other.yaml")
    assert other.code == 1
    assert "mirror-fr/online.db lies in FR; allowed: DE" in other.out


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("broken.py", "def (:\n", "feast apply would stop before it is decided, at broken.py:1: SyntaxError: "),
        ("wrong.py", "\nraise KeyError('x')\n", "would stop before it is decided, at wrong.py:2: KeyError: 'x'"),
        ("project.py", PROJECT, "Feast refuses the repository: Project object name should match"),
        ("lineage.py", "", "lineage.py is shadowed: Python finds the module 'lineage' at "),
        ("policy.yaml", "version: 1\n", "policy.yaml:1: this policy checks nothing; name a pack"),
        ("feature_store.yaml", "project: liver_care\n", "Feast cannot read "),
        ("feature_store.yaml", "provider: [\n", "feature_store.yaml"),
    ],
    ids=["syntax", "error", "project", "shadowed", "policy", "no registry", "yaml"],
)  # fmt: skip
def test_a_repository_that_cannot_be_planned_is_a_wrong_question(
    repository: Any, provender: Callable[..., Answer], file: str, text: str, message: str
) -> None:
    (repository.path / file).write_text(text)
    before = _files(repository.path)
    answer = provender("plan", "--repo", repository.path, "--json")
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert "Traceback" not in answer.err
    assert _files(repository.path) == before


def test_a_repository_without_a_governance_block_has_no_plan(repository: Any, provender: Callable[..., Answer]) -> None:
    repository.configure(lambda document: document.pop("governance"))
    answer = provender("plan", "--repo", repository.path)
    assert answer.code == 2
    assert "has no `governance:` block, so nothing may be decided." in answer.err


def test_there_is_no_plan_where_there_is_no_repository(tmp_path: Path, provender: Callable[..., Answer]) -> None:
    answer = provender("plan", "--repo", tmp_path)
    assert answer.code == 2
    assert answer.err.startswith(f"There is no {tmp_path}/feature_store.yaml. Expected the configuration of a Feast")


def test_a_head_that_was_edited_is_refused_as_apply_refuses_it(applied: Any, provender: Callable[..., Answer]) -> None:
    repository, _ = applied
    head = repository.path / "data/registry/head.json"
    head.write_text(head.read_text().replace('"v": 1', '"v": 1, "x": 2').replace("versions/", "versions/0"))
    answer = provender("plan", "--repo", repository.path)
    assert answer.code == 1
    assert "is not as it was written" in answer.err


def test_a_registry_whose_version_is_gone_is_refused(applied: Any, provender: Callable[..., Answer]) -> None:
    repository, _ = applied
    (repository.path / "data/registry" / repository.head["object"]).unlink()
    answer = provender("plan", "--repo", repository.path)
    assert answer.code == 1
    assert "has no versions/" in answer.err


def test_what_a_repository_prints_stays_out_of_the_document(repository: Any, provender: Callable[..., Answer]) -> None:
    (repository.path / "noisy.py").write_text("print('hello from the repository')\n")
    assert provender("plan", "--repo", repository.path, "--json").document["outcome"] == "allow"


def test_an_object_is_explained_with_path_place_and_nearest_change(
    repository: Any, provender: Callable[..., Answer]
) -> None:
    _refused(repository)
    answer = provender("explain", "feature_view:outcomes", "--repo", repository.path)
    assert answer.code == 1
    online = (repository.path / "data/mirror-fr/online.db").as_uri()
    assert f"      outcomes: residency=DE; online store {online} lies in FR; allowed: DE\n" in answer.out
    assert f"nearest change: move the online store {online} to a place in DE (2 other denying findings would stay)" in (
        answer.out
    )
    assert "nearest change: name an owner of feature_view:outcomes (4 other denying findings would stay)" in answer.out
    document = provender("explain", "laboratory", "--repo", repository.path, "--json").document
    assert document["location"] == "liver_views.py:10"
    assert document["facts"]["ttl_seconds"] == 400 * 86_400
    assert document["findings"] == []
    assert provender("explain", "laboratry", "--repo", repository.path).code == 2


def test_a_change_of_the_policy_is_tried_on_the_registry(applied: Any, provender: Callable[..., Answer]) -> None:
    repository, _ = applied
    old = repository.path / "policy.yaml"
    new = repository.path.parent / "new.yaml"
    new.write_text(old.read_text().replace("ttl_seconds == 0", "ttl_seconds > 30000000"))
    before = _files(repository.path)
    answer = provender("policy", "diff", old, new, "--repo", repository.path)
    assert _files(repository.path) == before
    assert answer.code == 1
    assert answer.out.startswith(
        "On the 7 objects of the registry the new policy\n"
        "newly denies:\n"
        "  at apply\n"
        "  deny  ttl.bounded  feature_view:demographics\n"
    )
    assert answer.out.endswith("feast apply of what is registered: allowed before, denied now\n")
    same = provender("policy", "diff", old, old, "--repo", repository.path, "--json")
    assert (same.code, same.document["denies"]) == (0, [])


def test_there_is_nothing_to_compare_on_before_the_first_apply(
    repository: Any, provender: Callable[..., Answer]
) -> None:
    policy = repository.path / "policy.yaml"
    answer = provender("policy", "diff", policy, policy, "--repo", repository.path)
    assert answer.code == 2
    assert "holds nothing yet, so there is nothing to compare on. Run feast apply." in answer.err


def test_a_policy_s_own_tests_run_without_feast(tmp_path: Path, provender: Callable[..., Answer]) -> None:
    (tmp_path / "policy.yaml").write_text("version: 1\npacks: [ownership]\n")
    (tmp_path / "cases.yaml").write_text(
        "policy: policy.yaml\ntoday: 2026-06-01\n"
        "tests:\n  - {name: empty, expect: {outcome: deny}}\n"
    )  # fmt: skip
    answer = provender("policy", "test", tmp_path)
    assert answer.code == 1
    assert answer.out.startswith("FAILED  cases.yaml:4  empty\n        expected deny, the verdict is allow\n")
    assert provender("policy", "test", tmp_path, "--json").document["failed"] == 1


def test_credentials_that_lead_past_every_gate_are_noted_and_change_no_answer(
    repository: Any, provender: Callable[..., Answer]
) -> None:
    redis = {"type": "redis", "connection_string": "localhost:6379,password=hush"}
    repository.configure(lambda document: document.update(online_store=redis))
    policy = repository.path / "policy.yaml"
    policy.write_text(policy.read_text().replace("places:", 'places:\n  - {match: "redis://**", zone: DE}'))
    said = provender("plan", "--repo", repository.path)
    assert said.code == 0
    assert said.out.endswith(
        "\nPast every gate, which no policy can prevent:\n"
        "audit  credentials.held  configuration:online_store\n"
        "      `online_store: connection_string:` holds a password\n"
        "      fix:  give this client a user of its own, with the rights that docs/threats.md lists for this store\n"
        "      at:   feature_store.yaml\n"
        "\nfeast apply would be allowed: no findings.\n"
    )
    (note,) = provender("plan", "--repo", repository.path, "--json").document["notes"]
    assert (note["rule"], note["level"]) == ("credentials.held", "audit")
    assert "hush" not in said.out
