"""A source becomes a local file: kept in the store once it was fetched or built."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from convert.hosts import Hosts
from convert.stages.base import Host
from convert.zoo.job import Source, SourceKind
from convert.zoo.sources.errors import SourceChanged, checksum_mismatch
from convert.zoo.sources.hashes import HashMemo
from convert.zoo.sources.key import source_key
from convert.zoo.store.base import Store
from convert.zoo.store.errors import StoreDamaged
from verify.artifact import sha256_of

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")


def fetch(
    source: Source, folder: Path, scratch: Path, *, store: Store, key: str, hosts: Hosts, locks: Path | None = None
) -> Path:
    """A local checkpoint: the file itself, or one below ``scratch`` that is called what the source calls it.

    ``key`` is the source's own (:func:`source_key`) when the job was planned. What is not a local file is fetched, or
    built in a torch worker, at most once per store: jobs with the same ``locks`` folder wait for each other.

    Raises:
        SourceChanged: the source is another than the one that was planned for.
        ChecksumMismatch: it does not hash to what the manifest says.
        SourceMissing, SourceUnavailable, MissingDependency: it cannot be had.
    """
    if source.kind is SourceKind.FILE:
        _require_unchanged(source, folder, scratch, key)
        return folder / source.location
    place = scratch / "source"
    place.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time((locks or scratch) / f".source-{key[:32]}.lock"):
        kept = _from_store(source, place, store, key)
        return kept if kept is not None else _brought(source, folder, place, store=store, key=key, hosts=hosts)


def _from_store(source: Source, place: Path, store: Store, key: str) -> Path | None:
    stored = store.source(key)
    if stored is None:
        return None
    target = place / (stored.path if _is_library(source) else file_name(source))
    try:
        store.get_file(stored, target)
    except StoreDamaged:
        return None
    return target


def _brought(source: Source, folder: Path, place: Path, *, store: Store, key: str, hosts: Hosts) -> Path:
    _require_unchanged(source, folder, place, key)
    path = _bring(source, place, hosts)
    if source.sha256 is not None:
        found = sha256_of(path)
        if found != source.sha256:
            path.unlink()
            raise checksum_mismatch(source.location, source.sha256, found)
    store.put_source(key, store.put_file(path, path.name, may_link=True))
    return path


def _bring(source: Source, place: Path, hosts: Hosts) -> Path:
    if _is_library(source):
        from convert.zoo.sources.library import make_checkpoint

        return hosts.worker(Host.TORCH).run(make_checkpoint, source=source, folder=place).value
    target = place / file_name(source)
    if source.kind is SourceKind.HUGGING_FACE:
        from convert.zoo.sources import hugging_face

        hugging_face.download(hugging_face.parse_location(source.location), target)
    else:
        from convert.zoo.sources import url

        url.download(source.location, target)
    return target


def file_name(source: Source) -> str:
    """What the file of a URL or of a repository is called: the last part of its path."""
    text = source.location
    path = unquote(urlsplit(text).path) if source.kind is SourceKind.URL else text.rpartition("@")[0] or text
    return _UNSAFE.sub("_", path.rstrip("/").rpartition("/")[2]).lstrip(".") or "checkpoint"


def _is_library(source: Source) -> bool:
    return source.kind in {SourceKind.TORCHVISION, SourceKind.TIMM}


def _require_unchanged(source: Source, folder: Path, scratch: Path, key: str) -> None:
    """Results are kept under the key: what has changed since it was made must not be kept under it."""
    if source_key(source, folder, HashMemo(scratch / "hashes.json")) != key:
        raise SourceChanged(
            f"{source.location} is not what it was when this job was planned: it, or what builds it, has changed since",
            fix="run the zoo again; the job is then planned for what is there now",
        )


@contextlib.contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    """Only one job of those that work side by side fetches a source; however it ends, the next one gets its turn."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
