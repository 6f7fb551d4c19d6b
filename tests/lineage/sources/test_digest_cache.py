from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest

from lineage.sources import digests
from lineage.sources.digest_cache import DigestCache
from lineage.sources.digests import FileKey, observe_source

ROOT = Path(__file__).parents[3]
KEY: FileKey = (1, 2**64 - 1, 3, 4, 5)
DIGEST = "a" * 64


def test_what_is_remembered_is_there_for_the_next_process(tmp_path: Path) -> None:
    DigestCache(tmp_path / "data" / "cache.db")[KEY] = DIGEST
    cache = DigestCache(tmp_path / "data" / "cache.db")
    assert cache[KEY] == DIGEST
    assert (dict(cache), len(cache)) == ({KEY: DIGEST}, 1)
    del cache[KEY]
    assert KEY not in cache
    with pytest.raises(KeyError):
        del cache[KEY]


def test_a_file_that_changed_takes_the_place_of_what_it_was(tmp_path: Path) -> None:
    cache = DigestCache(tmp_path / "cache.db")
    changed = (*KEY[:4], 6)
    cache.update({KEY: DIGEST, changed: "b" * 64})
    assert KEY not in cache
    assert dict(cache) == {changed: "b" * 64}


def test_it_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    DigestCache(path)[KEY] = DIGEST
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o660)
    others = DigestCache(path)
    assert others.get(KEY) is None
    others[KEY] = DIGEST  # without an error, and without effect
    assert len(others) == 0


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    DigestCache(tmp_path / "elsewhere.db")[KEY] = DIGEST
    (tmp_path / "cache.db").symlink_to(tmp_path / "elsewhere.db")
    assert DigestCache(tmp_path / "cache.db").get(KEY) is None


@pytest.mark.parametrize(
    "damage", [b"", b"no database at all, but longer than a header" * 99, b"SQLite format 3\0garbage"]
)
def test_a_damaged_cache_is_thrown_away_and_begun_anew(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "cache.db"
    path.write_bytes(damage)
    path.chmod(0o600)
    cache = DigestCache(path)
    assert cache.get(KEY) is None
    cache[KEY] = DIGEST
    assert DigestCache(path)[KEY] == DIGEST


def test_pages_overwritten_in_the_middle_give_no_error(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    DigestCache(path).update({(1, n, 3, 4, 5): DIGEST for n in range(2000)})
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    cache = DigestCache(path)
    assert cache.get((1, 1000, 3, 4, 5)) is None
    cache[KEY] = DIGEST
    assert cache[KEY] == DIGEST


def test_what_is_no_digest_is_no_answer(tmp_path: Path) -> None:
    cache = DigestCache(tmp_path / "cache.db")
    cache[KEY] = "not a digest"
    assert cache.get(KEY) is None


def test_a_directory_that_cannot_be_written_means_hashing_each_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = DigestCache(tmp_path / "file" / "cache.db")
    cache[KEY] = DIGEST
    assert cache.get(KEY) is None


def test_threads_may_share_it(tmp_path: Path) -> None:
    cache = DigestCache(tmp_path / "cache.db")

    def write(first: int) -> None:
        for n in range(first, first + 50):
            cache[1, n, 3, 4, 5] = DIGEST

    threads = [Thread(target=write, args=(first,)) for first in (0, 50, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cache) == 150


def test_two_processes_use_it_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from lineage.sources.digest_cache import DigestCache\n"
        "cache, first = DigestCache(Path(sys.argv[1])), int(sys.argv[2])\n"
        "for n in range(first, first + 200): cache[1, n, 3, 4, 5] = 'a' * 64\n"
        "assert cache[1, first, 3, 4, 5] == 'a' * 64"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "cache.db")]
    processes = [subprocess.Popen([*command, first], cwd=ROOT) for first in ("0", "200")]
    assert [process.wait() for process in processes] == [0, 0]
    assert len(DigestCache(tmp_path / "cache.db")) == 400


def test_a_forked_process_opens_the_file_for_itself(tmp_path: Path) -> None:
    cache = DigestCache(tmp_path / "cache.db")
    cache[KEY] = DIGEST
    connection = cache._connection
    cache._process = -1  # as seen from a child
    assert cache[KEY] == DIGEST
    assert cache._connection is not connection


def test_a_source_is_hashed_once_for_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "SETTLED", -1)
    path = tmp_path / "a.parquet"
    path.write_bytes(b"abc")
    states = [observe_source("labs", "", [path], DigestCache(tmp_path / "cache.db")) for _ in range(2)]
    assert [state.state for state in states] == ["computed", "cached"]
    assert [state.files[0].sha256 for state in states] == [sha256(b"abc").hexdigest()] * 2
