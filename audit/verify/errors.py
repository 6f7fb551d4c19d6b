"""What a verification can find wrong. Standard library only: a stranger reads this file beside the bundle.

VerificationError
├── Malformed            the bytes are not what their format allows
├── BadSignature         a signature does not verify, or nobody who is trusted has signed
└── ProofFailed          a Merkle proof does not lead to the root it was given for
"""

from __future__ import annotations


class VerificationError(Exception):
    """Base of every reason not to believe something; its text says what was found and what was expected."""


class Malformed(VerificationError):
    """The bytes are not what their format allows."""


class BadSignature(VerificationError):
    """A signature does not verify, or no trusted key has signed."""


class ProofFailed(VerificationError):
    """A Merkle proof does not lead to the root it was given for."""
