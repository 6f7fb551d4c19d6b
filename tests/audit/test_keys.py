"""The keys directory: made once, together, privately; anything else is refused with a reason."""

import base64
import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from audit.errors import KeysUnusable
from audit.keys import Keys
from governance.errors import ConfigurationError, WrongQuestion

NAMES = ["log.pem", "master.key", "model.pem", "statement.pem"]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def fingerprints(keys: Keys) -> tuple[str, str, str, str]:
    return (
        keys.log_verifier("log.example").vkey,
        keys.statement_public.keyid,
        keys.model_public.keyid,
        keys.pseudonym("alice"),
    )


def open_in_process(directory: str) -> tuple[str, str, str, str]:
    return fingerprints(Keys.open(directory))


def test_first_use_makes_four_private_keys_and_later_uses_read_them(tmp_path: Path) -> None:
    directory = tmp_path / "below" / "keys"
    first = Keys.open(directory)
    assert names(directory) == NAMES
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    assert fingerprints(Keys.open(str(directory))) == fingerprints(first)


def test_a_generous_umask_does_not_loosen_the_modes(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Keys.open(tmp_path / "keys")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "keys" / "log.pem").stat().st_mode) == 0o600


def test_processes_that_start_together_get_the_same_keys(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(open_in_process, [str(tmp_path / "keys")] * 8))) == 1
    assert names(tmp_path / "keys") == NAMES


def test_a_creation_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    Keys.open(tmp_path / "keys")
    log = (tmp_path / "keys" / "log.pem").read_bytes()
    for name in ("master.key", "model.pem"):
        (tmp_path / "keys" / name).unlink()
    (tmp_path / "keys" / ".model.pem.new").write_bytes(b"half")
    Keys.open(tmp_path / "keys")
    assert names(tmp_path / "keys") == NAMES
    assert (tmp_path / "keys" / "log.pem").read_bytes() == log


@pytest.mark.parametrize("name", ["log.pem", "statement.pem", "model.pem"])
def test_a_lost_key_is_not_replaced_by_a_new_one(tmp_path: Path, name: str) -> None:
    Keys.open(tmp_path / "keys")
    (tmp_path / "keys" / name).unlink()
    with pytest.raises(KeysUnusable, match=f"lacks {name}.*Restore it"):
        Keys.open(tmp_path / "keys")
    assert name not in names(tmp_path / "keys")


@pytest.mark.parametrize("name", NAMES)
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, name: str) -> None:
    Keys.open(tmp_path / "keys")
    (tmp_path / "keys" / name).chmod(0o640)
    with pytest.raises(KeysUnusable, match=r"mode 0640.*chmod 600"):
        Keys.open(tmp_path / "keys")


def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o755)
    with pytest.raises(KeysUnusable, match=r"mode 0755.*chmod 700"):
        Keys.open(tmp_path / "keys")
    assert names(tmp_path / "keys") == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.pem", b"not a key"),
        ("statement.pem", b""),
        ("model.pem", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        ("master.key", b"\0" * 31),
        ("master.key", b"\0" * 33),
    ],
)
def test_a_garbled_key_is_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    Keys.open(tmp_path / "keys")
    (tmp_path / "keys" / name).write_bytes(content)
    with pytest.raises(KeysUnusable, match=f"{name} h.*Expected.*backup"):
        Keys.open(tmp_path / "keys")


@pytest.mark.parametrize("name", ["log.pem", "statement.pem", "model.pem"])
def test_a_key_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    Keys.open(tmp_path / "keys")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "keys" / name).write_bytes(pem)
    with pytest.raises(KeysUnusable, match=f"{name} holds RSAPrivateKey"):
        Keys.open(tmp_path / "keys")


def test_a_symbolic_link_is_no_key(tmp_path: Path) -> None:
    Keys.open(tmp_path / "keys")
    (tmp_path / "keys" / "log.pem").rename(tmp_path / "elsewhere.pem")
    (tmp_path / "keys" / "log.pem").symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(KeysUnusable, match=r"log\.pem cannot be read"):
        Keys.open(tmp_path / "keys")


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    with pytest.raises(KeysUnusable, match="cannot be used"):
        Keys.open(tmp_path / "keys")


def test_keys_come_from_the_environment_too(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    made = Keys.open(directory)
    environ = {
        "K_LOG": (directory / "log.pem").read_text(),
        "K_STATEMENT": (directory / "statement.pem").read_text(),
        "K_MODEL_FILE": str(directory / "model.pem"),
        "K_MASTER": base64.b64encode(made.master).decode(),
    }
    assert fingerprints(Keys.open("env:K", environ=environ)) == fingerprints(made)
    for name in environ:
        with pytest.raises(KeysUnusable, match=f"{name}, which is not set"):
            Keys.open("env:K", environ={key: value for key, value in environ.items() if key != name})
    with pytest.raises(KeysUnusable, match="K_MASTER"):
        Keys.open("env:K", environ={**environ, "K_MASTER": "AAAA"})


def test_pkcs11_is_said_to_be_missing() -> None:
    with pytest.raises(KeysUnusable, match="not available"):
        Keys.open("pkcs11:token=provender")


def test_an_unusable_key_is_a_wrong_question() -> None:
    assert issubclass(KeysUnusable, ConfigurationError)
    assert issubclass(KeysUnusable, WrongQuestion)


def test_keys_do_not_print_their_secrets(tmp_path: Path) -> None:
    keys = Keys.open(tmp_path / "keys")
    assert repr(keys.master) not in repr(keys)
    assert "PrivateKey" not in repr(keys)


def test_a_pseudonym_is_stable_and_depends_on_actor_and_master_key(tmp_path: Path) -> None:
    one, other = Keys.open(tmp_path / "one"), Keys.open(tmp_path / "other")
    assert one.pseudonym("alice") == one.pseudonym("alice")
    assert len({one.pseudonym("alice"), one.pseudonym("bob"), other.pseudonym("alice")}) == 3
    assert len(one.pseudonym("älice")) == 32
