"""C2SP tlog-policy, as the trust file carries it."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.verify.errors import Malformed
from audit.verify.note import SignatureType, verifier
from audit.verify.policy import parse_policy
from audit.verify.publickey import public_key


def key(name: str, kind: SignatureType) -> str:
    """A key made of its name, so that every worker collects tests of the same names."""
    private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    return verifier(name, kind, public_key(private.public_key())).vkey


LOG = key("example.com/log", SignatureType.ED25519)
WITNESSES = {name: key(f"{name}.example", SignatureType.COSIGNATURE) for name in ("X1", "X2", "X3", "Y1")}
LINES = [f"witness {name} {vkey}" for name, vkey in WITNESSES.items()]
TWO_GROUPS = "\n".join(
    [
        "# who we trust",
        f"log {LOG} https://log.example/",
        *LINES,
        "",
        "group X 2 X1 X2 X3",
        "group all-of all X Y1",
        "quorum all-of",
        "",
    ]
)


def test_the_quorum_follows_nested_groups() -> None:
    policy = parse_policy(TWO_GROUPS)
    assert [log.vkey for log in policy.logs] == [LOG]
    assert policy.is_met({"X1", "X3", "Y1"})
    assert not policy.is_met({"X1", "Y1"})
    assert not policy.is_met({"X1", "X2", "X3"})


def test_quorum_none_demands_no_witness() -> None:
    assert parse_policy("quorum none\n").is_met(())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no quorum line"),
        ("quorum none\nquorum none\n", "line 2"),
        ("quorum X1\n", "not defined"),
        (f"log {LOG}\nlog {LOG}\nquorum none\n", "line before"),
        (f"log {WITNESSES['X1']}\nquorum none\n", "has type 0x04"),
        (f"witness X1 {LOG}\nquorum none\n", "has type 0x01"),
        (f"witness none {WITNESSES['X1']}\nquorum none\n", "taken"),
        (f"{LINES[0]}\ngroup g 2 X1\nquorum g\n", "threshold"),
        (f"{LINES[0]}\ngroup g 0 X1\nquorum g\n", "threshold"),
        (f"{LINES[0]}\ngroup g all X1\ngroup h any X1 g\nquorum h\n", "twice"),
        ("group g any\nquorum none\n", "not a log"),
        ("log nonsense\nquorum none\n", "line 1: "),
        ("mirror x\nquorum none\n", "line 1: not a log"),
        ("quorum none\r\n", "control characters"),
    ],
)
def test_a_malformed_policy_names_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        parse_policy(text)
