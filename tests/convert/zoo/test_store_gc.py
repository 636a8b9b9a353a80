"""Making room forgets what was not used for longest, and never what somebody still needs."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from convert.workspace import Made
from convert.zoo.result import Conversion, JobResult, Outcome, StoredFile
from convert.zoo.store import StageEntry, open_store
from convert.zoo.store.content import ContentStore
from convert.zoo.store.gc import gc
from convert.zoo.store.reports import keep_reports
from verify.artifact import Artifact, Format
from verify.jsonio import to_jsonable
from verify.signature import Signature

TICK_SECONDS = 0.02
"""Longer than file systems take to tell two changes apart."""


@pytest.fixture(params=["folder", "object store"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ContentStore:
    return open_store(str(tmp_path / "store") if request.param == "folder" else f"memory://{uuid.uuid4().hex}")


@pytest.fixture
def local(tmp_path: Path) -> ContentStore:
    return open_store(str(tmp_path / "store"))


def blob(store: ContentStore, tmp_path: Path, letter: str, size_bytes: int = 1000) -> StoredFile:
    path = tmp_path / f"{letter}.bin"
    path.write_bytes(letter.encode() * size_bytes)
    return store.put_file(path, path.name)


def put(store: ContentStore, key: str, *files: StoredFile) -> None:
    store.put_result(JobResult(key, key, Outcome.OK, conversion=Conversion(Outcome.OK, "fine", files=files)))
    time.sleep(TICK_SECONDS)


def stage(store: ContentStore, key: str, *files: StoredFile) -> None:
    artifact = Artifact(Path(files[0].path), Format.ONNX, Signature((), ()), "aa")
    store.put_stage(key, StageEntry("net", Made(key, artifact, "bb"), files))
    time.sleep(TICK_SECONDS)


def three_results(store: ContentStore, tmp_path: Path) -> None:
    for letter in "abc":
        put(store, letter * 8, blob(store, tmp_path, letter))


def left(store: ContentStore) -> str:
    return "".join(key[0] for key in ("a" * 8, "b" * 8, "c" * 8) if store.result(key) is not None)


def test_the_oldest_results_go_until_the_rest_fits(store: ContentStore, tmp_path: Path) -> None:
    three_results(store, tmp_path)
    report = gc(store, 2000, grace_s=0)
    assert (report.removed_entries, report.removed_blobs, report.removed_bytes) == (1, 1, 1000)
    assert (report.left_entries, report.left_bytes) == (2, 2000)
    assert left(store) == "bc"


def test_what_was_read_lately_stays(local: ContentStore, tmp_path: Path) -> None:
    three_results(local, tmp_path)
    local.result("a" * 8)
    gc(local, 2000, grace_s=0)
    assert left(local) == "ac"


def test_what_is_to_be_kept_stays_whatever_its_age_and_size(store: ContentStore, tmp_path: Path) -> None:
    three_results(store, tmp_path)
    report = gc(store, 0, keep={"a" * 8}, grace_s=0)
    assert left(store) == "a"
    assert report.left_bytes == 1000


def test_an_old_stage_stays_while_a_kept_result_holds_its_file_anyway(store: ContentStore, tmp_path: Path) -> None:
    shared = blob(store, tmp_path, "s")
    stage(store, "stage", shared)
    put(store, "a" * 8, blob(store, tmp_path, "a"))
    put(store, "b" * 8, shared)
    gc(store, 1000, grace_s=0)
    assert store.stage("stage") is not None
    assert left(store) == "b"


def test_what_no_entry_names_goes_and_the_rest_stays_without_a_limit(store: ContentStore, tmp_path: Path) -> None:
    three_results(store, tmp_path)
    blob(store, tmp_path, "x")
    report = gc(store, None, grace_s=0)
    assert (report.removed_blobs, report.removed_entries, left(store)) == (1, 0, "abc")


def test_a_young_blob_waits_for_its_entry(store: ContentStore, tmp_path: Path) -> None:
    file = blob(store, tmp_path, "x")
    assert gc(store, 0).removed_blobs == 0
    put(store, "a" * 8, file)
    store.get_file(file, tmp_path / "x.out")


def test_an_old_blob_that_a_job_has_just_put_again_counts_as_young(local: ContentStore, tmp_path: Path) -> None:
    blob(local, tmp_path, "x")
    time.sleep(0.5)
    blob(local, tmp_path, "x")
    assert gc(local, 0, grace_s=0.4).removed_blobs == 0


def test_a_damaged_entry_goes(local: ContentStore, tmp_path: Path) -> None:
    three_results(local, tmp_path)
    (Path(local.url) / "results" / "aa" / "aaaaaaaa.json").write_text('{"schema"')
    report = gc(local, None, grace_s=0)
    assert (report.removed_entries, report.removed_blobs, left(local)) == (1, 1, "bc")


def test_a_result_whose_file_is_gone_goes(local: ContentStore, tmp_path: Path) -> None:
    three_results(local, tmp_path)
    file = blob(local, tmp_path, "a")
    (Path(local.url) / "blobs" / file.sha256[:2] / file.sha256).unlink()
    assert gc(local, None, grace_s=0).removed_entries == 1
    assert left(local) == "bc"


def test_what_a_killed_writer_left_goes_once_it_is_old(local: ContentStore, tmp_path: Path) -> None:
    abandoned = Path(local.url) / "tmp" / "half"
    abandoned.parent.mkdir(parents=True)
    abandoned.write_bytes(b"half a file")
    assert gc(local, None).removed_temporary == 0
    assert gc(local, None, grace_s=0).removed_temporary == 1
    assert not abandoned.exists()


def test_a_dry_run_tells_and_removes_nothing(store: ContentStore, tmp_path: Path) -> None:
    three_results(store, tmp_path)
    told = gc(store, 1000, grace_s=0, dry_run=True)
    assert left(store) == "abc"
    done = gc(store, 1000, grace_s=0)
    assert (told.removed_entries, told.removed_bytes) == (done.removed_entries, done.removed_bytes) == (2, 2000)


def test_a_thousand_entries_take_no_two_seconds(local: ContentStore) -> None:
    files = [StoredFile(f"{n}.bin", f"{n:064x}", 1) for n in range(100)]
    for file in files:
        place = Path(local.url) / "blobs" / file.sha256[:2] / file.sha256
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x")
    for n in range(1000):
        entry = json.dumps({"schema": 1, "entry": to_jsonable(files[n % 100])})
        place = Path(local.url) / "sources" / f"{n % 97:02d}" / f"{n}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(entry)
    started = time.process_time()
    report = gc(local, 50, grace_s=0)
    assert (report.left_bytes, report.removed_entries) == (50, 500)
    assert time.process_time() - started < 2


def test_results_stand_without_their_models(store: ContentStore, tmp_path: Path) -> None:
    report, model = blob(store, tmp_path, "r", 10), blob(store, tmp_path, "m")
    stage(store, "c" * 8, model)
    store.put_source("d" * 8, blob(store, tmp_path, "s"))
    put(store, "a" * 8, replace(report, path="report.json"), replace(model, path="net_float32.tflite"))
    keep_reports(store)
    assert gc(store, None, grace_s=0).left_bytes == 10
    result = store.result("a" * 8)
    assert result is not None
    assert result.conversion is not None
    assert (result.outcome, [file.path for file in result.conversion.files]) == (Outcome.OK, ["report.json"])
    assert store.stage("c" * 8) is None
    assert store.source("d" * 8) is None
