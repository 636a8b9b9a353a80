"""The store holds what it was given, whole or not at all, whoever else writes to it."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from convert.workspace import Made
from convert.zoo.result import Conversion, JobResult, Outcome, StoredFile
from convert.zoo.store import StageEntry, StoreDamaged, StoreUnavailable, open_store
from convert.zoo.store.content import ContentStore, blob_path
from convert.zoo.store.remote_files import RemoteFiles
from verify.artifact import Artifact, Format
from verify.errors import InputError, MissingDependency
from verify.signature import Signature

KEY = "ab" * 32


@pytest.fixture(params=["folder", "object store", "file server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ContentStore:
    """A folder, a file system where objects appear whole, and one where files are renamed into place."""
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    if request.param == "object store":
        return open_store(f"memory://{uuid.uuid4().hex}")
    return ContentStore(RemoteFiles(f"file://{tmp_path / 'served'}"))


@pytest.fixture
def local(tmp_path: Path) -> ContentStore:
    return open_store(str(tmp_path / "store"))


def written(path: Path, content: bytes = b"weights") -> Path:
    path.write_bytes(content)
    return path


def result(key: str = KEY, *files: StoredFile, log: StoredFile | None = None) -> JobResult:
    return JobResult("net", key, Outcome.OK, conversion=Conversion(Outcome.OK, "fine", files=files), log=log)


def spoil(store: ContentStore, file: StoredFile, content: bytes) -> None:
    blob = Path(store.url) / blob_path(file.sha256)
    blob.chmod(0o644)
    blob.write_bytes(content)


def test_a_file_comes_back_as_it_was(store: ContentStore, tmp_path: Path) -> None:
    file = store.put_file(written(tmp_path / "net.onnx"), "net.onnx")
    store.get_file(file, tmp_path / "again.onnx")
    assert (file.path, file.size_bytes) == ("net.onnx", 7)
    assert (tmp_path / "again.onnx").read_bytes() == b"weights"


def test_an_entry_comes_back_as_it_was(store: ContentStore) -> None:
    file = StoredFile("net.onnx", "cd" * 32, 7)
    stage = StageEntry("net", Made("k", Artifact(Path("net.onnx"), Format.ONNX, Signature((), ()), "e"), "s"), (file,))
    store.put_result(result(KEY, file))
    store.put_stage(KEY, stage)
    store.put_source(KEY, file)
    assert (store.result(KEY), store.stage(KEY), store.source(KEY)) == (result(KEY, file), stage, file)


def test_a_failure_is_remembered_too(store: ContentStore) -> None:
    failed = JobResult("net", KEY, Outcome.SIGNAL, signal=11, what="the torch worker ended by signal SIGSEGV")
    store.put_result(failed)
    assert store.result(KEY) == failed


def test_what_was_never_put_is_not_there(store: ContentStore, tmp_path: Path) -> None:
    assert (store.result(KEY), store.stage(KEY), store.source(KEY)) == (None, None, None)
    with pytest.raises(StoreDamaged, match="is not there any more"):
        store.get_file(StoredFile("net.onnx", "cd" * 32, 7), tmp_path / "net.onnx")
    assert list(tmp_path.glob("net.onnx")) == []


def test_an_entry_that_is_overwritten_is_the_new_one(store: ContentStore) -> None:
    store.put_result(JobResult("net", KEY, Outcome.OOM))
    store.put_result(result())
    assert store.result(KEY) == result()


@pytest.mark.parametrize("text", ['{"schema": 1, "entry": {"id": "n', "", "[]", '{"schema": 0, "entry": {}}', "{}"])
def test_half_an_entry_or_one_of_another_schema_counts_as_absent(local: ContentStore, text: str) -> None:
    local.put_result(result())
    (Path(local.url) / "results" / "ab" / f"{KEY}.json").write_text(text)
    assert local.result(KEY) is None


def test_a_damaged_file_is_refused_dropped_and_healed_by_the_next_put(local: ContentStore, tmp_path: Path) -> None:
    file = local.put_file(written(tmp_path / "net.onnx"), "net.onnx")
    spoil(local, file, b"WEIGHTS")
    with pytest.raises(StoreDamaged, match=r"net\.onnx") as raised:
        local.get_file(file, tmp_path / "again.onnx")
    assert "run the job again" in raised.value.fix
    assert not (tmp_path / "again.onnx").exists()
    local.put_file(tmp_path / "net.onnx", "net.onnx")
    local.get_file(file, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == b"weights"


def test_a_file_cut_short_is_replaced_by_the_next_put(local: ContentStore, tmp_path: Path) -> None:
    file = local.put_file(written(tmp_path / "net.onnx"), "net.onnx")
    spoil(local, file, b"wei")
    local.put_file(tmp_path / "net.onnx", "net.onnx")
    local.get_file(file, tmp_path / "again.onnx")


def test_files_are_linked_only_where_that_was_allowed_and_are_read_only_then(
    local: ContentStore, tmp_path: Path
) -> None:
    mine = written(tmp_path / "mine.pth", b"mine")
    scratch = written(tmp_path / "scratch.onnx", b"scratch")
    copied = local.put_file(mine, "mine.pth")
    linked = local.put_file(scratch, "scratch.onnx", may_link=True)
    assert not mine.samefile(Path(local.url) / blob_path(copied.sha256))
    assert mine.stat().st_mode & 0o200
    assert scratch.samefile(Path(local.url) / blob_path(linked.sha256))
    local.get_file(copied, tmp_path / "out.pth")
    assert (tmp_path / "out.pth").samefile(Path(local.url) / blob_path(copied.sha256))
    assert (tmp_path / "out.pth").stat().st_mode & 0o222 == 0


def test_a_file_replaces_what_stood_in_its_place(local: ContentStore, tmp_path: Path) -> None:
    file = local.put_file(written(tmp_path / "new.onnx"), "net.onnx")
    local.get_file(file, written(tmp_path / "net.onnx", b"old"))
    assert (tmp_path / "net.onnx").read_bytes() == b"weights"


def test_nothing_unfinished_is_left_behind(store: ContentStore, tmp_path: Path) -> None:
    store.put_file(written(tmp_path / "net.onnx"), "net.onnx")
    store.put_result(result())
    assert list(store.files.list("tmp")) == []


def test_a_store_that_cannot_be_written_to_says_so(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(StoreUnavailable, match=r"cannot take net\.onnx") as raised:
        open_store(str(tmp_path / "store")).put_file(written(tmp_path / "net.onnx"), "net.onnx")
    assert "--store" in raised.value.fix


def test_an_unknown_protocol_is_bad_input_and_a_missing_package_is_named() -> None:
    with pytest.raises(InputError, match="bogus"):
        open_store("bogus://bucket/zoo")
    with pytest.raises(MissingDependency, match="s3fs"):
        open_store("s3://bucket/zoo")


def test_file_urls_and_paths_are_the_same_store(tmp_path: Path) -> None:
    open_store(f"file://{tmp_path}/a%20store").put_result(result())
    assert open_store(str(tmp_path / "a store")).result(KEY) == result()


WRITE = """
import sys
from pathlib import Path
from convert.zoo.result import Conversion, JobResult, Outcome
from convert.zoo.store.content import ContentStore
from convert.zoo.store.local_files import LocalFiles
from convert.zoo.store.remote_files import RemoteFiles

kind, root, scratch, mine = sys.argv[1:]
store = ContentStore(LocalFiles(Path(root)) if kind == "folder" else RemoteFiles(f"file://{root}"))
folder = Path(scratch) / mine
folder.mkdir()
for number in range(40):
    path = folder / f"{number}.bin"
    path.write_bytes(f"blob {number}".encode() * 5000)
    file = store.put_file(path, "blob.bin", may_link=True)
    store.put_result(JobResult("net", "k" * 64, Outcome.OK, conversion=Conversion(Outcome.OK, mine, files=(file,))))
    store.get_file(file, folder / "back.bin")
    assert store.result("k" * 64) is not None
"""


@pytest.mark.parametrize("kind", ["folder", "file server"])
def test_many_processes_may_write_the_same_blobs_and_keys_at_once(tmp_path: Path, kind: str) -> None:
    command = [sys.executable, "-c", WRITE, kind, str(tmp_path / "store"), str(tmp_path)]
    writers = [subprocess.Popen([*command, f"writer{n}"], stderr=subprocess.PIPE, text=True) for n in range(4)]
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors
    store = open_store(str(tmp_path / "store"))
    assert len(list(store.files.list("blobs"))) == 40
    assert list(store.files.list("tmp")) == []
    found = store.result("k" * 64)
    assert found is not None
    assert found.conversion is not None
    store.get_file(found.conversion.files[0], tmp_path / "last.bin")


def test_entries_are_json_that_a_person_can_read(local: ContentStore) -> None:
    local.put_result(result())
    text = (Path(local.url) / "results" / "ab" / f"{KEY}.json").read_text()
    assert json.loads(text)["entry"]["outcome"] == "ok"
