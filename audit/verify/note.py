"""C2SP signed notes, checkpoints and Ed25519 cosignatures: parsing and verification.

Sources: https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint, https://c2sp.org/tlog-cosignature.
Lines of unknown keys are ignored; a line of a known key must verify, in every repetition, or the whole note is
refused; a key counts once however often it signed.

    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    log = parse_vkey("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
    signatures = verify_note(note, [log])
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.verify.canonical_base64 import decode_base64, encode_base64
from audit.verify.errors import BadSignature, Malformed
from audit.verify.merkle import EMPTY_ROOT, HASH_SIZE
from audit.verify.publickey import PublicKey, load_spki_der, public_key

MAX_NOTE = 1_000_000
"""bytes; C2SP asks for some limit"""
MAX_SIGNATURES = 100
_EM_DASH = "\u2014 "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class SignatureType(IntEnum):
    """The signature types of C2SP signed-note that we read."""

    ED25519 = 0x01
    ECDSA = 0x02
    COSIGNATURE = 0x04


@dataclass(frozen=True)
class NoteSignature:
    """One signature line."""

    name: str
    key_id: bytes
    """4 bytes"""
    signature: bytes


@dataclass(frozen=True)
class Note:
    """A parsed note; nothing in it is to be believed before it was verified."""

    text: str
    """what is signed, with its last newline"""
    signatures: tuple[NoteSignature, ...]

    @property
    def data(self) -> bytes:
        """The bytes that were parsed: ``parse_note(data).data == data``."""
        lines = (signature_line(line.name, line.key_id, line.signature) for line in self.signatures)
        return f"{self.text}\n{''.join(lines)}".encode()


@dataclass(frozen=True)
class Checkpoint:
    """The state of a log: what it is called, how many leaves it has, and their root."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The note text that is signed."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, encode_base64(self.root), *self.extensions))


@dataclass(frozen=True)
class Verifier:
    """A key that may sign notes, under its name."""

    name: str
    type: SignatureType
    key: PublicKey

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that mark its lines (for ECDSA those of the SPKI alone, as C2SP says)."""
        if self.type is SignatureType.ECDSA:
            return hashlib.sha256(self.key.spki).digest()[:4]
        return hashlib.sha256(self.name.encode() + b"\n" + self._encoded).digest()[:4]

    @property
    def vkey(self) -> str:
        """The verifier key: ``name+hex key id+Base64(type || key)``; ``parse_vkey`` reads it."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(self._encoded)}"

    @property
    def _encoded(self) -> bytes:
        raw = self.key.key.public_bytes_raw() if isinstance(self.key.key, Ed25519PublicKey) else self.key.spki
        return bytes([self.type]) + raw


@dataclass(frozen=True)
class VerifiedSignature:
    """A line of a note that verified."""

    verifier: Verifier
    time: int | None
    """seconds since the epoch, for a cosignature; the latest where a witness signed twice"""


def verifier(name: str, kind: SignatureType, key: PublicKey) -> Verifier:
    """A verifier. Raises Malformed where name, type and key do not go together."""
    if not is_key_name(name):
        raise Malformed(f"{name!r} is not a key name: it must be non-empty, without spaces, control characters and '+'")
    if isinstance(key.key, Ed25519PublicKey) == (kind is SignatureType.ECDSA):
        raise Malformed(f"the key of {name!r} is not one for signature type 0x{kind:02x}")
    return Verifier(name, kind, key)


def is_key_name(name: str) -> bool:
    """Whether ``name`` may stand in a signature line."""
    return bool(name) and "+" not in name and not any(char.isspace() or ord(char) < 0x20 for char in name)


def parse_vkey(text: str) -> Verifier:
    """The verifier key ``name+hex key id+Base64(type || key)``. Raises Malformed."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not re.fullmatch(r"[0-9a-f]{8}", parts[1]):
        raise Malformed(f"{text!r} is not a verifier key; expected name+8 hex digits+Base64")
    name, key_id, encoded = parts[0], parts[1], decode_base64(parts[2], "the key in a verifier key")
    found = verifier(name, *_decode_key(encoded))
    if found.key_id.hex() != key_id:
        raise Malformed(
            f"the verifier key of {name!r} says key id {key_id}, its name and key give {found.key_id.hex()}"
        )
    return found


def _decode_key(encoded: bytes) -> tuple[SignatureType, PublicKey]:
    kind = encoded[:1]
    if kind == bytes([SignatureType.ECDSA]):
        return SignatureType.ECDSA, load_spki_der(encoded[1:])
    if kind not in {bytes([SignatureType.ED25519]), bytes([SignatureType.COSIGNATURE])}:
        raise Malformed(f"a verifier key of signature type 0x{kind.hex()}; this verifier knows 0x01, 0x02 and 0x04")
    if len(encoded) != 33:
        raise Malformed(f"an Ed25519 key of {len(encoded) - 1} bytes; expected 32")
    return SignatureType(encoded[0]), public_key(Ed25519PublicKey.from_public_bytes(encoded[1:]))


def parse_note(data: bytes) -> Note:
    """Text and signature lines of a signed note. Raises Malformed."""
    if len(data) > MAX_NOTE:
        raise Malformed(f"a note of {len(data)} bytes; at most {MAX_NOTE} are read")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"a note must be UTF-8: {error}") from error
    if _CONTROL.search(whole):
        raise Malformed("a note must not contain control characters other than newline")
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise Malformed("a note is a text, an empty line and signature lines, each ended by a newline")
    signatures = lines[:-1].split("\n")
    if len(signatures) > MAX_SIGNATURES:
        raise Malformed(f"a note with {len(signatures)} signatures; at most {MAX_SIGNATURES} are read")
    return Note(text + "\n", tuple(_parse_line(line) for line in signatures))


def _parse_line(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_EM_DASH).partition(" ")
    if not line.startswith(_EM_DASH) or not space or not is_key_name(name):
        raise Malformed(f"{line[:80]!r} is not a signature line; expected '\u2014 <key name> <Base64>'")
    signature = decode_base64(encoded, f"the signature of {name!r}")
    if len(signature) < 5:
        raise Malformed(
            f"the signature of {name!r} has {len(signature)} bytes; expected 4 of key id and then a signature"
        )
    return NoteSignature(name, signature[:4], signature[4:])


def signature_line(name: str, key_id: bytes, signature: bytes) -> str:
    """A signature line with its newline."""
    return f"{_EM_DASH}{name} {encode_base64(key_id + signature)}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint in a note's text. Raises Malformed."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise Malformed("a checkpoint has at least three lines, none of them empty, each ended by a newline")
    origin, size, root, *extensions = lines[:-1]
    if not _DECIMAL.fullmatch(size) or int(size) >= 1 << 63:
        raise Malformed(
            f"a checkpoint's second line is the tree size in decimal without leading zeros, not {size[:40]!r}"
        )
    found = Checkpoint(origin, int(size), decode_base64(root, "the root hash of a checkpoint"), tuple(extensions))
    if len(found.root) != HASH_SIZE or (found.size == 0 and found.root != EMPTY_ROOT):
        raise Malformed(
            f"a checkpoint's third line is the Base64 of a {HASH_SIZE} byte root; that of size 0 is SHA-256('')"
        )
    return found


def verify_note(note: Note, verifiers: Iterable[Verifier]) -> tuple[VerifiedSignature, ...]:
    """The verified signatures of ``note``, one for each of ``verifiers`` that signed it, in their order.

    Raises BadSignature where a line of one of them does not verify, or where none of them signed; Malformed where
    two different verifiers have the same name and key id.
    """
    known: dict[tuple[str, bytes], Verifier] = {}
    for each in verifiers:
        if known.setdefault((each.name, each.key_id), each) != each:
            raise Malformed(
                f"two different keys are called {each.name!r} {each.key_id.hex()}; a note cannot tell them apart"
            )
    verified = [found for each in known.values() if (found := _signature_of(note, each)) is not None]
    if not verified:
        signers = ", ".join(f"{line.name} {line.key_id.hex()}" for line in note.signatures)
        expected = ", ".join(f"{each.name} {each.key_id.hex()}" for each in known.values())
        raise BadSignature(
            f"no trusted key has signed the note; it is signed by {signers}; trusted: {expected or 'none'}"
        )
    return tuple(verified)


def _signature_of(note: Note, by: Verifier) -> VerifiedSignature | None:
    lines = [line.signature for line in note.signatures if (line.name, line.key_id) == (by.name, by.key_id)]
    times = [_verify_line(note.text, signature, by) for signature in lines]
    if not times:
        return None
    return VerifiedSignature(by, max((time for time in times if time is not None), default=None))


def _verify_line(text: str, signature: bytes, by: Verifier) -> int | None:
    """The time of a cosignature, None for other types. Raises BadSignature."""
    time, message = None, text.encode()
    if by.type is SignatureType.COSIGNATURE:
        if len(signature) != 8 + 64 or signature[0] & 0x80:
            raise BadSignature(
                f"the cosignature of {by.name!r} is not a time (8 bytes, below 2^63) and an Ed25519 signature"
            )
        time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        message = cosigned_message(text, time)
    try:
        by.key.verify(signature, message)
    except BadSignature as error:
        raise BadSignature(
            f"the signature of {by.name!r} (key id {by.key_id.hex()}) on the note does not verify"
        ) from error
    return time


def cosigned_message(text: str, time: int) -> bytes:
    """What an Ed25519 cosignature signs: ``time`` in seconds since the epoch, then the whole note text."""
    parse_checkpoint(text)
    return f"cosignature/v1\ntime {time}\n{text}".encode()
