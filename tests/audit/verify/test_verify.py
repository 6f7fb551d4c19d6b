"""The verifier: a good bundle passes, and whatever is changed is found, with the right reason."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.keys import Keys
from audit.recompute import DataDirectory
from audit.statement import StatementSeal
from audit.trust import trust_file
from audit.verify import Outcome, Verification, VerifyUsage, verify_bundle
from audit.verify.archive import BLOCK, read_archive, write_archive
from audit.verify.note import SignatureType, cosigned_message, parse_note, signature_line, verifier
from audit.verify.publickey import public_key
from governance.canonical import canonical_json
from lineage.recorder import Act, Recorder
from tests.audit.chain_fixture import (
    NOW,
    ORIGIN,
    RETRIEVE,
    TABLE,
    SyntheticChain,
    build_chain,
    decision_act,
    deployment_act,
    snapshot_data,
)

ROOT = Path(__file__).resolve().parents[3]
Members = dict[str, bytes]


def verify(chain: SyntheticChain, bundle: Path, *, data: Path | None = None, trust: Path | None = None) -> Verification:
    recompute = None if data is None else DataDirectory(data)
    return verify_bundle(bundle, trust=trust or chain.trust, recompute=recompute)


def failures(verification: Verification) -> dict[str, str]:
    assert verification.ok == (not any(step.failed for step in verification.steps))
    return {step.name: step.reason for step in verification.steps if step.failed}


def outcomes(verification: Verification) -> dict[str, Outcome]:
    return {step.name: step.outcome for step in verification.steps}


def test_an_untouched_bundle_is_verified_and_recomputed(chain: SyntheticChain, tmp_path: Path) -> None:
    found = verify(chain, chain.write_bundle(tmp_path / "b"), data=chain.directory)
    assert failures(found) == {}
    assert {name for name, outcome in outcomes(found).items() if outcome is not Outcome.OK} == {
        "witnesses",
        "timestamp",
    }
    assert [step.number for step in found.steps] == list(range(1, len(found.steps) + 1))
    assert (found.level, found.ok) == ("LOG-SIGNED", True)
    assert found.as_of == "2026-03-01T12:00:00.000000Z by the operator's clock, tree size 6"
    evidence = {checked.link.target.kind: checked.evidence for checked in found.links}
    done = "content recomputed here; what was done with it: operator's claim of 2026-03-01T12:00:0"
    assert all(evidence[kind].startswith(done) for kind in ("weights", "signature", "snapshot"))
    assert found.gaps == 1
    assert evidence["training"] == "operator's claim of 2026-03-01T12:00:03.000000Z, signed"
    assert evidence["spine"] == "GAP"


def test_without_data_nothing_is_called_recomputed(chain: SyntheticChain, tmp_path: Path) -> None:
    found = verify(chain, chain.write_bundle(tmp_path / "b"))
    assert found.ok
    assert outcomes(found)["snapshot data"] == outcomes(found)["model data"] == Outcome.NOT_CHECKED
    assert not any("recomputed here" in checked.evidence for checked in found.links)


def test_an_empty_data_directory_leaves_both_data_steps_unchecked(chain: SyntheticChain, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    found = verify(chain, chain.write_bundle(tmp_path / "b"), data=tmp_path / "data")
    assert outcomes(found)["snapshot data"] == outcomes(found)["model data"] == Outcome.NOT_CHECKED


def test_the_same_evidence_gives_the_same_bytes(chain: SyntheticChain, tmp_path: Path) -> None:
    assert chain.write_bundle(tmp_path / "a").read_bytes() == chain.write_bundle(tmp_path / "b").read_bytes()


# --- one byte, anywhere ---------------------------------------------------------------------------------------------


def offsets(data: bytes, members: Members) -> Iterator[tuple[str, int]]:
    """A place in each header field, the padding and the content of each member, and both end blocks."""
    fields = {"name": 0, "mode": 105, "uid": 110, "gid": 120, "size": 134, "mtime": 140, "checksum": 150, "type": 156}
    fields |= {
        "link": 160,
        "magic": 258,
        "version": 264,
        "user": 270,
        "group": 300,
        "device": 335,
        "prefix": 345,
        "rest": 505,
    }
    start = 0
    for name in sorted(members):
        size = len(members[name])
        yield from ((f"{name}: {field}", start + at) for field, at in fields.items())
        for what, at in (("first", 0), ("middle", size // 2), ("last", size - 1)):
            yield f"{name}: {what} byte", start + BLOCK + at
        if size % BLOCK:
            yield f"{name}: padding", start + BLOCK + size
        start += BLOCK + size + -size % BLOCK
    yield from (("end block 1", start), ("end block 2", start + BLOCK), ("last byte", len(data) - 1))


def flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


def test_one_changed_byte_is_found_in_every_field_of_every_member(chain: SyntheticChain, tmp_path: Path) -> None:
    data, missed = chain.write_bundle(tmp_path / "b").read_bytes(), []
    members = chain.members()
    for what, at in offsets(data, members):
        (tmp_path / "b").write_bytes(flipped(data, at))
        if verify(chain, tmp_path / "b").ok:
            missed.append(what)
    assert missed == []


def test_every_changed_byte_of_the_envelope_that_nothing_signs_is_found(chain: SyntheticChain, tmp_path: Path) -> None:
    data, members = chain.write_bundle(tmp_path / "b").read_bytes(), chain.members()
    start = data.index(members["manifest.dsse"])
    end = start + len(members["manifest.dsse"])
    signatures = data.index(b'"signatures"', start)
    missed = []
    for at in range(signatures, end):
        (tmp_path / "b").write_bytes(flipped(data, at))
        if verify(chain, tmp_path / "b").ok:
            missed.append(at - start)
    assert missed == []


@pytest.fixture(scope="module")
def good(chain: SyntheticChain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chain.write_bundle(tmp_path_factory.mktemp("good") / "b")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_changed_bit_is_found(chain: SyntheticChain, good: Path, tmp_path: Path, where: float, bit: int) -> None:
    data = good.read_bytes()
    (tmp_path / "b").write_bytes(flipped(data, int(where * len(data)), bit))
    assert not verify(chain, tmp_path / "b").ok


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), rest=st.binary(max_size=100))
def test_a_cut_or_spliced_file_is_found(
    chain: SyntheticChain, good: Path, tmp_path: Path, where: float, rest: bytes
) -> None:
    data = good.read_bytes()
    cut = data[: int(where * len(data))] + rest
    (tmp_path / "b").write_bytes(cut)
    assert not verify(chain, tmp_path / "b").ok or cut == data


# --- changes that only somebody with a key could make ----------------------------------------------------------------


def record(members: Members, kind: str) -> str:
    """Folder of the record of that kind."""
    leaves = {name: json.loads(content) for name, content in members.items() if name.endswith("leaf.json")}
    return next(name.rpartition("/")[0] for name, leaf in leaves.items() if leaf["kind"] == kind)


def swapped(part: str) -> Callable[[Members], Members]:
    def swap(members: Members) -> Members:
        one, other = (f"{record(members, kind)}/{part}" for kind in ("training", "artifact"))
        return {**members, one: members[other], other: members[one]}

    return swap


def without(part: str) -> Callable[[Members], Members]:
    return lambda members: {name: content for name, content in members.items() if part not in name}


def replaced(name: str, content: bytes) -> Callable[[Members], Members]:
    return lambda members: {**members, next(each for each in members if name in each): content}


def changed_json(part: str, **values: Any) -> Callable[[Members], Members]:
    def edit(members: Members) -> Members:
        name = next(each for each in members if part in each)
        document = json.dumps({**json.loads(members[name]), **values}, sort_keys=True, separators=(",", ":"))
        return {**members, name: document.encode()}

    return edit


@pytest.mark.parametrize(
    ("change", "step", "reason"),
    [
        (swapped("envelope.json"), "commitments", "do not give the commitment"),
        (swapped("envelope.json"), "statements", "the statement is of record"),
        (swapped("salt"), "commitments", "do not give the commitment"),
        (swapped("leaf.json"), "leaves", "as the statement has them"),
        (swapped("leaf.json"), "inclusion", "leads to root"),
        (swapped("proof.json"), "inclusion", "leads to root"),
        (without("proof.json"), "members", "is missing"),
        (without("salt"), "members", "is missing"),
        (without("checkpoint"), "members", "members are missing: checkpoint"),
        (replaced("checkpoint", b"not a note"), "checkpoint", "signature lines"),
        (replaced("salt", b"short"), "commitments", "5 bytes, not 32"),
        (replaced("envelope.json", b"{}"), "envelopes", "payloadType"),
        (replaced("leaf.json", b'{"v":1,"v":1}'), "leaves", "occurs twice"),
        (replaced("proof.json", b"[]"), "inclusion", "not a JSON object"),
        (replaced("model.sig", b"{}"), "models", "whose SHA-256 the artifact's record states"),
        (changed_json("snapshots/", rows=61), "snapshots", "whose SHA-256 the retrieval's record states"),
        (changed_json("proof.json", tree_size=5), "inclusion", "tree of size 5, the checkpoint has 6"),
        (changed_json("proof.json", index=True), "inclusion", "not the canonical JSON"),
        (changed_json("proof.json", index=-1), "inclusion", "cannot be in a tree"),
        (changed_json("proof.json", hashes=["AAAB"]), "inclusion", "SHA-256 has 32"),
        (changed_json("proof.json", hashes=[None] * 3), "inclusion", "SHA-256 has 32"),
        (lambda members: {**members, "extra.txt": b""}, "members", "has no place in a bundle"),
        (replaced("report.html", b"td1-sha256:" + b"0" * 64), "report", "which no record states"),
    ],
)
def test_a_resealed_change_fails_at_its_own_step(
    chain: SyntheticChain, tmp_path: Path, change: Callable[[Members], Members], step: str, reason: str
) -> None:
    found = failures(verify(chain, chain.reseal(tmp_path / "b", change(chain.members()))))
    assert reason in found[step]


def test_a_member_that_is_not_listed_is_found(chain: SyntheticChain, tmp_path: Path) -> None:
    folder = f"records/{RETRIEVE}"
    (tmp_path / "b").write_bytes(write_archive({**chain.members(), f"{folder}/salt": b""}))
    assert "is not listed" in failures(verify(chain, tmp_path / "b"))["members"]


def test_a_listed_member_that_is_gone_is_found(chain: SyntheticChain, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(write_archive(without("model.sig")(chain.members())))
    assert "is listed in manifest.json and missing" in failures(verify(chain, tmp_path / "b"))["members"]


def test_a_signature_left_out_by_the_operator_is_not_called_ok(chain: SyntheticChain, tmp_path: Path) -> None:
    found = verify(chain, chain.reseal(tmp_path / "b", without("model.sig")(chain.members())))
    assert outcomes(found)["models"] is Outcome.NOT_CHECKED


def test_an_older_checkpoint_does_not_fit_newer_proofs(chain: SyntheticChain, tmp_path: Path) -> None:
    other = build_chain(tmp_path / "other", change=lambda act: None if act.kind == "decision" else act)
    members = {**chain.members(), "checkpoint": other.members()["checkpoint"]}
    found = failures(verify(chain, chain.reseal(tmp_path / "b", members)))
    assert "no trusted key has signed the note" in found["checkpoint"]
    assert "the checkpoint has 5" in found["inclusion"]


def test_a_checkpoint_of_the_same_log_from_before_is_found(tmp_path: Path) -> None:
    chain = build_chain(tmp_path)
    before = chain.members()
    Recorder(chain.engine, StatementSeal(chain.keys), after=chain.ledger.sequence).record(decision_act())
    now = chain.members()
    found = failures(verify(chain, chain.reseal(tmp_path / "b", {**now, "checkpoint": before["checkpoint"]})))
    assert list(found) == ["inclusion"]
    assert "tree of size 7, the checkpoint has 6" in found["inclusion"]


# --- whom to believe -------------------------------------------------------------------------------------------------


def trust_with(chain: SyntheticChain, path: Path, **values: object) -> Path:
    path.write_text(json.dumps({**json.loads(chain.trust.read_bytes()), **values}))
    return path


def test_somebody_elses_keys_verify_nothing(chain: SyntheticChain, tmp_path: Path) -> None:
    stranger = tmp_path / "trust.json"
    stranger.write_bytes(trust_file(Keys.open(tmp_path / "keys"), origin=ORIGIN))
    found = verify(chain, chain.write_bundle(tmp_path / "b"), trust=stranger)
    assert {"manifest signature", "checkpoint", "envelopes"} <= set(failures(found))
    assert found.level == "NOT VERIFIED"


def test_another_model_key_fails_only_the_model(chain: SyntheticChain, tmp_path: Path) -> None:
    other = Keys.open(tmp_path / "keys").model_public.pem
    found = verify(
        chain, chain.write_bundle(tmp_path / "b"), trust=trust_with(chain, tmp_path / "t", model_keys=[other])
    )
    assert list(failures(found)) == ["models"]
    assert "by a model key of the trust file" in failures(found)["models"]


def test_without_a_log_in_the_trust_file_a_bundle_is_only_consistent(chain: SyntheticChain, tmp_path: Path) -> None:
    trust = trust_with(chain, tmp_path / "t", tlog_policy="quorum none\n")
    found = verify(chain, chain.write_bundle(tmp_path / "b"), trust=trust)
    assert (found.ok, found.level) == (True, "CONSISTENT-ONLY")
    assert outcomes(found)["checkpoint"] is Outcome.NOT_CHECKED


@pytest.mark.parametrize(("cosigned", "level"), [(2, "WITNESSED(2/3)"), (1, "NOT VERIFIED")])
def test_witnesses_count_towards_the_quorum(chain: SyntheticChain, tmp_path: Path, cosigned: int, level: str) -> None:
    private = [Ed25519PrivateKey.generate() for _ in range(3)]
    witnesses = [
        verifier(f"w{number}.example", SignatureType.COSIGNATURE, public_key(key.public_key()))
        for number, key in enumerate(private)
    ]
    lines = "".join(f"witness w{number} {each.vkey}\n" for number, each in enumerate(witnesses))
    policy = json.loads(chain.trust.read_bytes())["tlog_policy"].replace("quorum none\n", "")
    trust = trust_with(chain, tmp_path / "t", tlog_policy=f"{policy}{lines}group all 2 w0 w1 w2\nquorum all\n")
    members = chain.members()
    note = members["checkpoint"].decode()
    text, time = parse_note(members["checkpoint"]).text, int(NOW.timestamp())
    for witness, key in list(zip(witnesses, private, strict=True))[:cosigned]:
        signature = time.to_bytes(8, "big") + key.sign(cosigned_message(text, time))
        note += signature_line(witness.name, witness.key_id, signature)
    found = verify(chain, chain.reseal(tmp_path / "b", {**members, "checkpoint": note.encode()}), trust=trust)
    assert found.level == level
    assert ("witnesses" in failures(found)) == (level == "NOT VERIFIED")


def test_a_missing_bundle_and_a_bad_trust_file_are_wrong_questions(chain: SyntheticChain, tmp_path: Path) -> None:
    bundle = chain.write_bundle(tmp_path / "b")
    with pytest.raises(VerifyUsage, match=r"bundle .* cannot be read"):
        verify(chain, tmp_path / "absent")
    with pytest.raises(VerifyUsage, match=r"trust file .* cannot be read"):
        verify(chain, bundle, trust=tmp_path / "absent")
    for content in (
        b"",
        b"[]",
        b'{"v":1}',
        b"\xff",
        b"[" * 100_000,
        chain.trust.read_bytes().replace(b"BEGIN", b"BEGUN"),
    ):
        (tmp_path / "t").write_bytes(content)
        with pytest.raises(VerifyUsage, match="malformed"):
            verify(chain, bundle, trust=tmp_path / "t")
    with pytest.raises(VerifyUsage, match="data directory"):
        DataDirectory(tmp_path / "absent")


# --- the data itself -------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(chain: SyntheticChain, tmp_path: Path) -> SyntheticChain:
    """The chain with a copy of its stored objects, to be spoilt."""
    shutil.copytree(chain.directory / "objects", tmp_path / "objects")
    return dataclasses.replace(chain, objects=type(chain.objects)(tmp_path / "objects"))


def test_a_changed_cell_names_its_column(copy: SyntheticChain, tmp_path: Path) -> None:
    values = TABLE["bilirubin"].to_pylist()
    values[7] += 0.125
    pq.write_table(TABLE.set_column(1, "bilirubin", pa.array(values)), snapshot_data(copy))
    found = failures(verify(copy, copy.write_bundle(tmp_path / "b"), data=tmp_path))
    assert list(found) == ["snapshot data"]
    assert found["snapshot data"].endswith("columns that differ: bilirubin")


def test_every_changed_byte_of_the_rows_changes_nothing_or_is_found(copy: SyntheticChain, tmp_path: Path) -> None:
    bundle, path = copy.write_bundle(tmp_path / "b"), snapshot_data(copy)
    data = path.read_bytes()
    for at in range(0, len(data), 61):
        path.write_bytes(flipped(data, at))
        if failures(verify(copy, bundle, data=tmp_path)) == {}:
            assert pq.read_table(path).select(TABLE.column_names).equals(TABLE)


def test_changed_weights_name_their_file(copy: SyntheticChain, tmp_path: Path) -> None:
    weights = copy.objects.path(f"artifacts/{copy.artifact.digest.removeprefix('oms1-sha256:')}/model.safetensors")
    weights.write_bytes(flipped(weights.read_bytes(), 5))
    found = failures(verify(copy, copy.write_bundle(tmp_path / "b"), data=tmp_path))
    assert list(found) == ["model data"]
    assert found["model data"].endswith("files that differ: model.safetensors")


def test_a_file_added_to_the_model_is_found(copy: SyntheticChain, tmp_path: Path) -> None:
    folder = copy.objects.path(f"artifacts/{copy.artifact.digest.removeprefix('oms1-sha256:')}")
    (folder / ".hidden").write_bytes(b"")
    assert list(failures(verify(copy, copy.write_bundle(tmp_path / "b"), data=tmp_path))) == ["model data"]
    (folder / ".hidden").unlink()
    (folder / "link").symlink_to("/etc/passwd")
    found = failures(verify(copy, copy.write_bundle(tmp_path / "b"), data=tmp_path))
    assert "neither a file nor a directory" in found["model data"]


def test_a_small_snapshot_is_named_at_random_and_still_verified(tmp_path: Path) -> None:
    chain = build_chain(tmp_path, min_rows=1000)
    assert chain.snapshot.id.startswith("random:")
    bundle = chain.write_bundle(tmp_path / "b")
    assert verify(chain, bundle, data=tmp_path).ok
    assert outcomes(verify(chain, bundle, data=tmp_path))["snapshot data"] is Outcome.OK
    pq.write_table(TABLE.slice(1), snapshot_data(chain))
    assert list(failures(verify(chain, bundle, data=tmp_path))) == ["snapshot data"]


# --- what the records say --------------------------------------------------------------------------------------------


def manifest_of_another_retrieval(act: Act) -> Act:
    if act.kind != "retrieval":
        return act
    return dataclasses.replace(act, predicate={**act.predicate, "rows": 61})


def other_files(act: Act) -> Act:
    if act.kind != "artifact":
        return act
    files = [[path, size + 1, digest] for path, size, digest in act.predicate["files"]]
    return dataclasses.replace(act, predicate={**act.predicate, "files": files})


def another_subject(act: Act) -> Act:
    if act.kind != "artifact":
        return act
    signature = {**act.predicate["signature"], "openssf_subject": "0" * 64}
    return dataclasses.replace(act, predicate={**act.predicate, "signature": signature})


@pytest.mark.parametrize(
    ("change", "step", "reason"),
    [
        (manifest_of_another_retrieval, "snapshots", "'rows' is 60 in the manifest, 61 in the record"),
        (other_files, "models", "file list does not give its digest"),
        (another_subject, "models", "or not the recorded one"),
    ],
)
def test_records_that_contradict_their_attachments_fail(
    tmp_path: Path, change: Callable[[Act], Act], step: str, reason: str
) -> None:
    chain = build_chain(tmp_path, change=change)
    found = failures(verify(chain, chain.write_bundle(tmp_path / "b")))
    assert list(found) == [step]
    assert reason in found[step]


def resealed_report(chain: SyntheticChain, path: Path, **changes: Any) -> Path:
    members = chain.members()
    report = {**json.loads(members["report.json"]), **changes}
    return chain.reseal(path, {**members, "report.json": canonical_json(report)})


def test_a_report_that_says_something_else_than_the_chain_fails(chain: SyntheticChain, tmp_path: Path) -> None:
    report = json.loads(chain.members()["report.json"])
    proven = [link for link in report["links"] if link["level"]]
    lies: list[tuple[dict[str, Any], str]] = [
        ({"endpoint": "other"}, "says endpoint 'other'"),
        ({"tree_size": 9999}, "says tree_size 9999"),
        ({"links": [{**link, "level": "verified"} for link in report["links"]]}, "do not give: .* verified"),
        ({"links": proven}, "lacks a link .* gap"),
        ({"links": report["links"][1:]}, "lacks a link"),
        ({"links": [*report["links"], {**report["links"][0], "digest": "sha256:0"}]}, "do not give"),
        ({"nodes": [{**node, "name": "x"} for node in report["nodes"]]}, "shows the endpoint"),
        ({"nodes": None, "links": 3}, "shows the endpoint"),
    ]
    for changes, reason in lies:
        found = failures(verify(chain, resealed_report(chain, tmp_path / "b", **changes)))
        assert list(found) == ["report"]
        assert re.search(reason, found["report"])


def test_the_step_of_the_report_says_what_it_did_not_check(chain: SyntheticChain, tmp_path: Path) -> None:
    found = verify(chain, chain.write_bundle(tmp_path / "b"))
    step = next(step for step in found.steps if step.name == "report")
    assert (step.outcome, "NOT CHECKED: their wording" in step.reason) == (Outcome.OK, True)


@pytest.mark.parametrize(("minutes", "wrong"), [(4, []), (6, ["order"])])
def test_times_that_run_against_the_ledger_fail_beyond_a_tolerance(
    tmp_path: Path, minutes: int, wrong: list[str]
) -> None:
    chain = build_chain(tmp_path)
    again = deployment_act(chain.artifact, chain.keys)
    seal, early = StatementSeal(chain.keys), NOW - timedelta(minutes=minutes)
    Recorder(chain.engine, seal, after=chain.ledger.sequence, clock=lambda: early).record(again)
    found = failures(verify(chain, chain.write_bundle(tmp_path / "b")))
    assert list(found) == wrong
    assert all("(leaf 6) claims 2026-03-01T11:54:00" in reason for reason in found.values())


# --- whatever comes in -----------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_bytes_in_any_member_never_crash_the_verifier(
    chain: SyntheticChain, good: Path, tmp_path: Path, data: st.DataObject
) -> None:
    members = read_archive(good.read_bytes())
    name = data.draw(st.sampled_from(sorted(members)))
    nonsense = st.recursive(st.none() | st.integers() | st.floats() | st.text(max_size=5), st.lists)
    objects = st.dictionaries(st.sampled_from(sorted(json_keys(members[name])) or ["v"]), nonsense)
    members[name] = data.draw(st.binary(max_size=200) | objects.map(lambda value: json.dumps(value).encode()))
    bundle = chain.reseal(tmp_path / "b", members)
    verify(chain, bundle)
    bundle.write_bytes(data.draw(st.binary(max_size=2000)))
    assert not verify(chain, bundle).ok


def json_keys(content: bytes) -> set[str]:
    try:
        document = json.loads(content)
    except ValueError:
        return set()
    return set(document) if isinstance(document, dict) else set()


def test_nested_json_is_refused_without_a_crash(chain: SyntheticChain, tmp_path: Path) -> None:
    deep = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    for part in ("leaf.json", "envelope.json", "proof.json", "snapshots/", "model.sig"):
        assert not verify(chain, chain.reseal(tmp_path / "b", replaced(part, deep)(chain.members()))).ok


def test_control_characters_of_a_bundle_do_not_reach_the_terminal(chain: SyntheticChain, tmp_path: Path) -> None:
    bundle = chain.reseal(
        tmp_path / "b", replaced("checkpoint", "a\x9b[31m\n1\nx\n\n\u2014 b AAAAAAA=\n".encode())(chain.members())
    )
    assert all(step.reason.isprintable() for step in verify(chain, bundle).steps)


def test_the_verifier_imports_only_the_standard_library_and_cryptography() -> None:
    code = (
        "import sys; before = set(sys.modules); import audit.verify;"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert loaded - set(sys.stdlib_module_names) <= {"audit", "cryptography", "_cffi_backend", "_openssl"}
