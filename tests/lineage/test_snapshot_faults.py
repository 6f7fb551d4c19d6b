"""A snapshot is there whole or not at all, whenever its writer dies and whatever its disk refuses."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, Popen
from uuid import uuid4

import pyarrow as pa
import pytest

from lineage.errors import ObjectsUnreachable, SnapshotCorrupt, UnknownSnapshot
from lineage.objects import DirectoryObjects
from lineage.snapshots import SnapshotStore
from lineage.td1 import digest_table
from tests.lineage.conftest import ROOT
from tests.lineage.snapshot_tables import files, opened, put, rows_of

Spawn = Callable[[str], "Popen[str]"]
TABLE = rows_of(70_000)
NAME = digest_table(TABLE).digest

WRITER = """
import os, signal, sys
from pathlib import Path
import lineage.td1
from lineage.objects import DirectoryObjects
from lineage.snapshots import SnapshotStore
from tests.lineage.snapshot_tables import put, put_parts, rows_of
table = rows_of(70_000)
{code}
"""

KILLED_AT_STEPS = """
def write(step):
    seen = 0
    def dying(function):
        def counted(*arguments, **options):
            nonlocal seen
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)
        return counted
    for name in ("open", "fsync", "link", "mkdir", "replace", "unlink", "close"):
        setattr(os, name, dying(getattr(os, name)))
    {kept}(SnapshotStore(DirectoryObjects(Path({root!r}) / str(step)), min_rows=1), table)

for step in range(1, 200):
    child = os.fork()
    if not child:
        write(step)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status != signal.SIGKILL:
        print(0 if status else step, flush=True)
        break
"""
"""Dies before the n-th call that changes a file or directory, for each n, until there are no more."""

KILLED_BY_OTHERS = """
print("ready", flush=True)
sys.stdin.readline()
put(SnapshotStore(DirectoryObjects(Path({root!r})), min_rows=1), table)
"""


def nothing_half_there(objects: DirectoryObjects) -> None:
    """What lies there is whole, and the next writer stores the snapshot and clears up."""
    store = SnapshotStore(objects, min_rows=1)
    for name in store.names():
        assert store.read(name).select(TABLE.column_names).equals(TABLE)
    if store.names() == ():
        with suppress(UnknownSnapshot, SnapshotCorrupt):  # some rows may be there before any manifest is
            assert store.read(NAME).select(TABLE.column_names).equals(TABLE)
    snapshot, _ = put(store, TABLE)
    assert opened(store, snapshot).to_arrow().equals(TABLE)
    assert not [file for file in files(objects) if file.startswith(".incomplete/")]


@pytest.mark.parametrize("kept", ["put", "put_parts"])
def test_a_writer_that_is_killed_at_any_step_leaves_no_half_snapshot(tmp_path: Path, spawn: Spawn, kept: str) -> None:
    writer = spawn(WRITER.format(code=KILLED_AT_STEPS.format(root=str(tmp_path), kept=kept)))
    assert writer.stdout is not None
    steps = int(writer.stdout.readline())
    assert steps > 10
    for step in range(1, steps + 1):
        nothing_half_there(DirectoryObjects(tmp_path / str(step)))


@pytest.mark.slow
def test_a_writer_that_is_killed_at_any_moment_leaves_no_half_snapshot(tmp_path: Path, spawn: Spawn) -> None:
    moments = random.Random(3)
    for number in range(10):
        objects = DirectoryObjects(tmp_path / str(number))
        writer = spawn(WRITER.format(code=KILLED_BY_OTHERS.format(root=str(objects.root))))
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        writer.stdin.write("go\n")
        writer.stdin.flush()
        time.sleep(moments.random() * 0.1)
        writer.kill()
        writer.wait()
        nothing_half_there(objects)


def test_a_disk_that_takes_no_more_is_one_sentence_and_nothing_is_stored(tmp_path: Path) -> None:
    code = f"""
import resource, sys
from pathlib import Path
from lineage.errors import ObjectsUnreachable
from lineage.objects import DirectoryObjects
from lineage.snapshots import SnapshotStore
from tests.lineage.snapshot_tables import put, rows_of
table = rows_of(70_000)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    put(SnapshotStore(DirectoryObjects(Path({str(tmp_path / "objects")!r})), min_rows=1), table)
except ObjectsUnreachable as error:
    print(error)
"""
    said = Popen([sys.executable, "-c", code], cwd=ROOT, stdout=PIPE, text=True).communicate(timeout=60)[0]
    assert "cannot be written: File too large" in said
    assert "patient" not in said
    objects = DirectoryObjects(tmp_path / "objects")
    assert files(objects) == []
    nothing_half_there(objects)


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ObjectsUnreachable, match="cannot be written"):
        put(SnapshotStore(DirectoryObjects(tmp_path / "file" / "objects"), min_rows=1), TABLE)


def test_a_table_that_cannot_be_digested_leaves_nothing(tmp_path: Path) -> None:
    objects = DirectoryObjects(tmp_path / "objects")
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    with pytest.raises(Exception, match="invalid_utf8"):
        put(SnapshotStore(objects, min_rows=1), pa.table({"x": broken}))
    assert files(objects) == []


def test_what_goes_wrong_while_a_table_is_written_leaves_nothing(tmp_path: Path) -> None:
    objects = DirectoryObjects(tmp_path / "objects")
    with pytest.raises(KeyError), SnapshotStore(objects, min_rows=1).writing(TABLE):
        raise KeyError("a suite that cannot be read")
    assert files(objects) == []


def test_rows_without_a_manifest_are_completed_by_the_next_run(tmp_path: Path) -> None:
    objects = DirectoryObjects(tmp_path / "objects")
    store = SnapshotStore(objects, min_rows=1)
    first, _ = put(store, TABLE)
    (objects.root / f"snapshots/{NAME.split(':')[1]}/{first.run_id}.json").unlink()
    assert store.names() == ()
    nothing_half_there(objects)


def test_a_run_stores_one_manifest(tmp_path: Path) -> None:
    store, run_id = SnapshotStore(DirectoryObjects(tmp_path / "objects"), min_rows=1), str(uuid4())
    store.put(TABLE, run=run_id, manifest={"created": "then"})
    with pytest.raises(SnapshotCorrupt, match="another manifest"):
        store.put(TABLE, run=run_id, manifest={"created": "now"})
