"""The offline verifier: standard library and `cryptography`, no database, no network, nothing else of Provender.

    from audit.verify import verify_bundle
    verification = verify_bundle(Path("endpoint.bundle"), trust=Path("trust.json"), recompute=None)
    for step in verification.steps:
        print(step.number, step.name, step.outcome, step.reason)

The steps are those of docs/verification.md, in its order and with its numbers.
"""

from audit.verify.chain import Chain, Link, Node, follow
from audit.verify.errors import BadSignature, Malformed, ProofFailed, VerificationError
from audit.verify.steps import CheckedLink, Outcome, Recompute, Step, Table, Verification
from audit.verify.trust import VerifyUsage
from audit.verify.verify import verify_bundle

__all__ = [
    "BadSignature",
    "Chain",
    "CheckedLink",
    "Link",
    "Malformed",
    "Node",
    "Outcome",
    "ProofFailed",
    "Recompute",
    "Step",
    "Table",
    "Verification",
    "VerificationError",
    "VerifyUsage",
    "follow",
    "verify_bundle",
]
