"""From what a user writes to a store."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from convert.zoo.store.content import ContentStore
from convert.zoo.store.local_files import LocalFiles
from convert.zoo.store.remote_files import RemoteFiles


def open_store(url: str) -> ContentStore:
    """The store in a folder (a path, or ``file://``) or behind a URL that fsspec opens; made when first written to.

    Raises ``InputError`` for an unknown protocol, ``MissingDependency`` where its package is not installed.
    """
    if url.startswith("file://"):
        return ContentStore(LocalFiles(Path(unquote(url.removeprefix("file://"))).absolute()))
    if "://" in url:
        return ContentStore(RemoteFiles(url))
    return ContentStore(LocalFiles(Path(url).absolute()))
