"""A change of the policy as a recorded act: what it newly denies and allows on what is registered.

It is recorded by the first ``feast apply`` under the new policy, allowed or not, before that is decided. It is compared
with the policy of the last such record, else with the one that let the registry's head in; the registry keeps both.
"""

from __future__ import annotations

from datetime import UTC, datetime

from api.assembly import Provender
from api.feast.caller import current_caller
from api.feast.registry_commits import RegistryCommits
from api.feast.registry_head import Head
from api.feast.registry_version import read_policy
from api.places import repository_places
from api.repository import git_state
from governance.policy_diff import policy_diff
from governance.policy_file import parse_policy
from lineage.recorder import Act, Subject

KIND = "policy"
"""of the record"""


def record_policy_change(commits: RegistryCommits, head: Head | None) -> None:
    """Record that the policy is another one than before, if it is, and something is registered.

    Raises PolicyError, and FeastRefused where the file of the policy before is gone or was edited.
    """
    if head is None:
        return
    gate, parts = commits.gate, commits.gate.parts
    now, before = gate.policy(), _last(parts) or head.policy
    if now.sha256 == before:
        return
    old = parse_policy(read_policy(commits.refs, before), name=now.name)
    definitions, today = gate.definitions(commits.load(head)), datetime.now(UTC).date()
    found = policy_diff(definitions, old, now, places=repository_places(parts.settings), today=today)
    commits.keep(now)
    settings = parts.settings
    document = {"definitions": head.definitions, "project": settings.project, "repository": git_state(settings.repo)}
    parts.recorder.record(
        Act(
            kind=KIND,
            actor=current_caller(),
            subjects=(Subject(_subject(parts), "policy-sha256", now.sha256),),
            predicate={**found.as_json(), **document},
        )
    )


def _last(parts: Provender) -> str | None:
    """Hex SHA-256 of the policy that was last recorded to count."""
    for record in parts.records.newest_by_subject_name(_subject(parts), KIND):
        return str(record.predicate["new"]["policy"])
    return None


def _subject(parts: Provender) -> str:
    return f"policy:{parts.settings.project}"
