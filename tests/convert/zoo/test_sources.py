"""Sources: what they hash to, and how they become local files. Servers, stores and locks are real."""

from __future__ import annotations

import hashlib
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fsspec
import pytest

from convert.hosts import Hosts
from convert.zoo.job import Source, SourceKind
from convert.zoo.sources import (
    ChecksumMismatch,
    HashMemo,
    SourceChanged,
    SourceMissing,
    SourceUnavailable,
    fetch,
    source_key,
)
from convert.zoo.sources.hugging_face import HubPlace, parse_location, resolved_commit
from convert.zoo.store import Store, open_store
from verify.artifact import sha256_of
from verify.errors import InputError, MissingDependency
from verify.worker import Limits

CONTENT = b"weights " * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class _Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, counts downloads, and breaks off what is called ``cut``."""

    downloads: list[str]

    def do_GET(self) -> None:
        self.downloads.append(self.path)
        if self.path.startswith("/cut"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:100])
            return
        super().do_GET()

    def log_message(self, *args: object) -> None:
        """Say nothing on stderr."""


class _Nameless(_Server):
    """A server that does not say which version of a file it has."""

    def send_header(self, keyword: str, value: str) -> None:
        if keyword != "Last-Modified":
            super().send_header(keyword, value)


def _serving(handler: type[_Server], folder: Path) -> Iterator[str]:
    handler.downloads = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def served(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "net.pth").write_bytes(CONTENT)
    (folder / "cut.pth").write_bytes(CONTENT)
    return folder


@pytest.fixture
def web(served: Path) -> Iterator[str]:
    yield from _serving(_Server, served)


@pytest.fixture
def nameless(served: Path) -> Iterator[str]:
    yield from _serving(_Nameless, served)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    with Hosts(tmp_path / "log.txt", Limits()) as hosts:
        yield hosts


@pytest.fixture
def hashes(tmp_path: Path) -> HashMemo:
    return HashMemo(tmp_path / "hashes.json")


def _url(location: str, sha256: str | None = None) -> Source:
    return Source(SourceKind.URL, location, sha256)


def _get(source: Source, tmp_path: Path, store: Store, hosts: Hosts, job: str = "job") -> Path:
    key = source_key(source, tmp_path, HashMemo(tmp_path / "hashes.json"))
    return fetch(source, tmp_path, tmp_path / job, store=store, key=key, hosts=hosts)


def test_a_file_is_known_by_its_bytes_and_used_where_it_is(
    tmp_path: Path, store: Store, hosts: Hosts, hashes: HashMemo
) -> None:
    (tmp_path / "a.pth").write_bytes(CONTENT)
    source = Source(SourceKind.FILE, "a.pth")
    assert source_key(source, tmp_path, hashes) == SHA256
    assert _get(source, tmp_path, store, hosts) == tmp_path / "a.pth"


def test_a_file_that_is_not_there_or_hashes_otherwise_has_no_key(tmp_path: Path, hashes: HashMemo) -> None:
    with pytest.raises(SourceMissing, match=r"a\.pth does not exist"):
        source_key(Source(SourceKind.FILE, "a.pth"), tmp_path, hashes)
    (tmp_path / "a.pth").write_bytes(CONTENT)
    with pytest.raises(ChecksumMismatch) as caught:
        source_key(Source(SourceKind.FILE, "a.pth", "0" * 64), tmp_path, hashes)
    assert SHA256 in caught.value.what
    assert "0" * 64 in caught.value.what


def test_a_file_that_changed_since_it_was_planned_for_is_not_converted(
    tmp_path: Path, store: Store, hosts: Hosts
) -> None:
    (tmp_path / "a.pth").write_bytes(b"other")
    with pytest.raises(SourceChanged, match=r"a\.pth is not what it was when this job was planned"):
        fetch(Source(SourceKind.FILE, "a.pth"), tmp_path, tmp_path, store=store, key=SHA256, hosts=hosts)


def test_a_url_is_downloaded_once_a_store(tmp_path: Path, web: str, store: Store, hosts: Hosts) -> None:
    source = _url(f"{web}/net.pth")
    first = _get(source, tmp_path, store, hosts, "one")
    second = _get(source, tmp_path, store, hosts, "two")
    assert first != second
    assert first.name == second.name == "net.pth"
    assert first.read_bytes() == second.read_bytes() == CONTENT
    assert _Server.downloads == ["/net.pth"]


def test_a_url_has_another_key_once_its_server_has_another_version(
    tmp_path: Path, web: str, served: Path, hashes: HashMemo
) -> None:
    source = _url(f"{web}/net.pth")
    before = source_key(source, tmp_path, hashes)
    assert source_key(source, tmp_path, hashes) == before
    os.utime(served / "net.pth", (1, 1))
    assert source_key(source, tmp_path, hashes) != before


def test_a_url_whose_server_knows_no_version_needs_a_hash(tmp_path: Path, nameless: str, hashes: HashMemo) -> None:
    with pytest.raises(InputError, match="does not say which version") as caught:
        source_key(_url(f"{nameless}/net.pth"), tmp_path, hashes)
    assert "sha256" in caught.value.fix
    assert source_key(_url(f"{nameless}/net.pth", SHA256), tmp_path, hashes) == SHA256


def test_a_download_of_the_wrong_bytes_is_refused_and_never_stored(
    tmp_path: Path, web: str, store: Store, hosts: Hosts
) -> None:
    source = _url(f"{web}/net.pth", "1" * 64)
    with pytest.raises(ChecksumMismatch, match=SHA256):
        _get(source, tmp_path, store, hosts)
    assert store.source("1" * 64) is None
    assert list((tmp_path / "job" / "source").iterdir()) == []


def test_a_download_that_breaks_off_leaves_nothing(tmp_path: Path, web: str, store: Store, hosts: Hosts) -> None:
    with pytest.raises(SourceUnavailable, match="broke off after 100 of 8000 bytes"):
        _get(_url(f"{web}/cut.pth"), tmp_path, store, hosts)
    assert list((tmp_path / "job" / "source").iterdir()) == []


def test_a_url_to_nothing_and_a_server_that_is_not_there_are_told_apart(
    tmp_path: Path, web: str, hashes: HashMemo
) -> None:
    with pytest.raises(SourceMissing, match="there is nothing at"):
        source_key(_url(f"{web}/none.pth"), tmp_path, hashes)
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        source_key(_url("http://127.0.0.1:9/net.pth"), tmp_path, hashes)


def test_jobs_that_want_the_same_download_wait_for_each_other(tmp_path: Path, web: str) -> None:
    code = """
import sys
from pathlib import Path
from convert.hosts import Hosts
from convert.zoo.job import Source, SourceKind
from convert.zoo.sources import HashMemo, fetch, source_key
from convert.zoo.store import open_store
from verify.worker import Limits
folder, job, url = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
source = Source(SourceKind.URL, url)
key = source_key(source, folder, HashMemo(folder / "none.json"))
with Hosts(folder / "log.txt", Limits()) as hosts:
    store = open_store(str(folder / "store"))
    fetch(source, folder, folder / job, store=store, key=key, hosts=hosts, locks=folder)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    running = [subprocess.Popen([*command, f"job{number}", f"{web}/net.pth"]) for number in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert _Server.downloads == ["/net.pth"]
    assert all((tmp_path / f"job{number}/source/net.pth").read_bytes() == CONTENT for number in range(3))


def test_any_file_system_that_fsspec_opens_will_do(tmp_path: Path, store: Store, hosts: Hosts) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/zoo/net.pth", CONTENT)
    source = _url("memory://zoo/net.pth")
    before = source_key(source, tmp_path, HashMemo(tmp_path / "hashes.json"))
    assert _get(source, tmp_path, store, hosts).read_bytes() == CONTENT
    memory.pipe("/zoo/net.pth", b"newer")
    assert source_key(source, tmp_path, HashMemo(tmp_path / "hashes.json")) != before
    with pytest.raises(SourceMissing):
        source_key(_url("memory://zoo/none.pth"), tmp_path, HashMemo(tmp_path / "hashes.json"))


def test_a_protocol_that_nobody_knows_or_that_lacks_its_package_is_named(tmp_path: Path, hashes: HashMemo) -> None:
    with pytest.raises(SourceMissing, match="Protocol not known: nope"):
        source_key(_url("nope://a/b.pth"), tmp_path, hashes)
    if not _installed("s3fs"):
        with pytest.raises(MissingDependency, match="Install s3fs"):
            source_key(_url("s3://bucket/b.pth"), tmp_path, hashes)


def _installed(package: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(package) is not None


def test_what_the_store_lost_is_fetched_again(tmp_path: Path, web: str, store: Store, hosts: Hosts) -> None:
    source = _url(f"{web}/net.pth")
    _get(source, tmp_path, store, hosts, "one")
    for blob in (tmp_path / "store" / "blobs").rglob("*"):
        if blob.is_file():
            blob.unlink()
    assert _get(source, tmp_path, store, hosts, "two").read_bytes() == CONTENT
    assert _Server.downloads == ["/net.pth", "/net.pth"]
    assert _get(source, tmp_path, store, hosts, "three").read_bytes() == CONTENT
    assert len(_Server.downloads) == 2


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("timm/resnet18.a1_in1k/model.safetensors", HubPlace("timm/resnet18.a1_in1k", "model.safetensors", "main")),
        ("org/repo/sub/net.pth@v1.0", HubPlace("org/repo", "sub/net.pth", "v1.0")),
    ],
)
def test_a_file_on_hugging_face_is_a_repository_a_path_and_a_revision(text: str, place: HubPlace) -> None:
    assert parse_location(text) == place


@pytest.mark.parametrize("text", ["repo", "org/repo", "org/repo/", "org/repo/f@", "/repo/f"])
def test_what_names_no_file_on_hugging_face_is_refused(text: str) -> None:
    with pytest.raises(SourceMissing, match="names no file of a repository"):
        parse_location(text)


def test_a_commit_on_hugging_face_needs_no_network_and_a_branch_does(
    tmp_path: Path, hashes: HashMemo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert resolved_commit(HubPlace("org/repo", "net.pth", commit)) == commit
    pinned = Source(SourceKind.HUGGING_FACE, f"org/repo/net.pth@{commit}")
    assert len(source_key(pinned, tmp_path, hashes)) == 64
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable, match=r"hf://org/repo/net\.pth@main cannot be reached") as caught:
        source_key(Source(SourceKind.HUGGING_FACE, "org/repo/net.pth"), tmp_path, hashes)
    assert "give its path as the source" in caught.value.fix


def test_an_architecture_is_known_by_all_that_builds_it(tmp_path: Path, hashes: HashMemo) -> None:
    def key(**changes: object) -> str:
        given: dict[str, object] = {"kind": SourceKind.TORCHVISION, "location": "resnet18", "weights": "random"}
        return source_key(Source(**{**given, **changes}), tmp_path, hashes)  # type: ignore[arg-type]

    different = [
        key(),
        key(seed=1),
        key(kind=SourceKind.TIMM),
        key(weights="DEFAULT"),
        key(arch_args=(("num_classes", "10"),)),
        key(inputs=("image=N,3,64,64",)),
        key(location="resnet34"),
    ]
    assert len(set(different)) == len(different)
    assert key() == different[0]
    assert key(weights="DEFAULT", inputs=("image=N,3,64,64",)) == key(weights="DEFAULT")


def test_a_fetched_file_hashes_to_what_was_promised(tmp_path: Path, web: str, store: Store, hosts: Hosts) -> None:
    assert sha256_of(_get(_url(f"{web}/net.pth", SHA256), tmp_path, store, hosts)) == SHA256
