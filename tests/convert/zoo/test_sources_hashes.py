"""Hashes are remembered as long as they can be trusted, and no longer."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from convert.zoo.sources import hashes as module
from convert.zoo.sources.hashes import SETTLED_NS, HashMemo
from verify.artifact import sha256_of


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that were read, in order."""
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return sha256_of(path)

    monkeypatch.setattr(module, "sha256_of", counted)
    return read


@pytest.fixture
def in_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock ahead of the file system's: everything written now was written long ago."""
    now = time.time_ns
    monkeypatch.setattr(module.time, "time_ns", lambda: now() + 60 * 10**9)


@pytest.mark.usefixtures("in_a_minute")
def test_a_file_is_read_once_across_runs(tmp_path: Path, hashed: list[Path]) -> None:
    path, memo = tmp_path / "a.pth", tmp_path / "memo.json"
    path.write_bytes(b"one")
    for _ in range(3):
        with HashMemo(memo) as hashes:
            assert hashes.sha256(path) == sha256_of(path)
    assert hashed == [path]


@pytest.mark.usefixtures("in_a_minute")
def test_a_file_of_the_same_size_and_time_but_other_bytes_is_read_again(tmp_path: Path) -> None:
    path, memo = tmp_path / "a.pth", tmp_path / "memo.json"
    path.write_bytes(b"one")
    before = path.stat()
    with HashMemo(memo) as hashes:
        hashes.sha256(path)
    time.sleep(0.02)  # a tick of the clock that stamps inodes
    with path.open("r+b") as file:
        file.write(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    with HashMemo(memo) as hashes:
        assert hashes.sha256(path) == sha256_of(path)


def test_a_file_that_was_just_written_is_not_remembered(tmp_path: Path, hashed: list[Path]) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(b"one")
    with HashMemo(tmp_path / "memo.json") as hashes:
        hashes.sha256(path)
        hashes.sha256(path)
    assert len(hashed) == 2
    assert SETTLED_NS == 2_000_000_000
    assert not (tmp_path / "memo.json").exists()


@pytest.mark.usefixtures("in_a_minute")
def test_a_folder_hashes_as_it_does_elsewhere_and_only_its_changed_file_is_read(
    tmp_path: Path, hashed: list[Path]
) -> None:
    folder = tmp_path / "photos"
    for name in ("b/1.png", "a.png", "b/2.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    with HashMemo(tmp_path / "memo.json") as hashes:
        assert hashes.sha256(folder) == sha256_of(folder)
        (folder / "a.png").write_text("other")
        assert hashes.sha256(folder) == sha256_of(folder)
    assert [path.name for path in hashed] == ["a.png", "1.png", "2.png", "a.png"]


@pytest.mark.usefixtures("in_a_minute")
@pytest.mark.parametrize("damage", ["", "{", "[]", '{"a": 1}'])
def test_a_memo_that_cannot_be_read_is_begun_again(tmp_path: Path, damage: str) -> None:
    path, memo = tmp_path / "a.pth", tmp_path / "memo.json"
    path.write_bytes(b"one")
    memo.write_text(damage)
    with HashMemo(memo) as hashes:
        assert hashes.sha256(path) == sha256_of(path)
    with HashMemo(memo) as hashes:
        assert hashes.sha256(path) == sha256_of(path)


@pytest.mark.usefixtures("in_a_minute")
def test_files_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    memo = tmp_path / "memo.json"
    for name in ("a.pth", "b.pth"):
        (tmp_path / name).write_text(name)
        with HashMemo(memo) as hashes:
            hashes.sha256(tmp_path / name)
        (tmp_path / "a.pth").unlink(missing_ok=True)
    assert "a.pth" not in memo.read_text()
    assert "b.pth" in memo.read_text()


@pytest.mark.usefixtures("in_a_minute")
def test_a_second_look_at_large_files_takes_milliseconds(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.pth" for number in range(30)]
    for file in files:
        with file.open("wb") as handle:
            handle.truncate(8 * 2**20)
    with HashMemo(tmp_path / "memo.json") as hashes:
        first = [hashes.sha256(file) for file in files]
    started = time.perf_counter()
    with HashMemo(tmp_path / "memo.json") as hashes:
        assert [hashes.sha256(file) for file in files] == first
    assert time.perf_counter() - started < 0.1
