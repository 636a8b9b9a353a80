"""Checkpoints by URL: ``https://`` through the standard library, everything else through fsspec."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from convert.zoo.sources.errors import SourceMissing, SourceUnavailable
from verify.errors import DiskFull, InputError, MissingDependency, ToolError

_WEB = ("http://", "https://")
_TIMEOUT_S = 60
"""How long a silent server is waited for."""
_GONE = (404, 410)


def version_of(url: str) -> str:
    """What tells this version of a file from the next; raises ``SourceMissing`` or ``SourceUnavailable``."""
    if url.startswith(_WEB):
        return _web_version(url)
    with _typed(url):
        system, path = _file_system(url)
        return str(system.ukey(path))


def download(url: str, target: Path) -> None:
    """Bring the file to ``target``, whole or not at all; raises ``SourceMissing`` or ``SourceUnavailable``."""
    partial = target.with_name(f".{target.name}.part")
    try:
        with _typed(url):
            if url.startswith(_WEB):
                _web_download(url, partial)
            else:
                system, path = _file_system(url)
                system.get_file(path, str(partial))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _web_version(url: str) -> str:
    with _typed(url), _opened(url, "HEAD") as response:
        version = response.headers["ETag"] or response.headers["Last-Modified"]
    if not version:
        raise InputError(
            f"the server of {url} does not say which version of the file it has (no ETag, no Last-Modified)",
            fix="write the file's sha256 into the manifest: then its version is known",
        )
    return str(version)


def _web_download(url: str, target: Path) -> None:
    with _opened(url, "GET") as response, target.open("wb") as file:
        shutil.copyfileobj(response, file, 2**20)
        expected = response.headers["Content-Length"]
        if expected is not None and file.tell() != int(expected):
            raise SourceUnavailable(
                f"{url} broke off after {file.tell()} of {expected} bytes", fix="run again; what came was thrown away"
            )


def _opened(url: str, method: str) -> HTTPResponse:
    response: HTTPResponse = urlopen(Request(url, method=method), timeout=_TIMEOUT_S)  # noqa: S310 - http(s) only
    return response


def _file_system(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    system, path = url_to_fs(url)
    return system, str(path)


@contextlib.contextmanager
def _typed(url: str) -> Iterator[None]:
    """Every library's way to say that a URL cannot be had, as our own."""
    try:
        yield
    except ToolError:
        raise
    except HTTPError as error:
        if error.code in _GONE:
            raise SourceMissing(f"there is nothing at {url} ({error.code} {error.reason})", fix="check it") from error
        raise _unavailable(url, error) from error
    except FileNotFoundError as error:
        raise SourceMissing(f"there is nothing at {url}", fix="check the URL") from error
    except ImportError as error:
        what = f"{url} needs a library that is not installed: {error}"
        raise MissingDependency(what, fix="install it with pip, in the environment of this command") from error
    except ValueError as error:  # fsspec's word for a protocol that nobody knows
        raise SourceMissing(f"{url} cannot be opened: {error}", fix="use a URL that fsspec knows") from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(
                f"no room to download {url}: {error}", fix="make some where the scratch folder is"
            ) from error
        raise _unavailable(url, error) from error
    except Exception as error:  # of the network, of HTTP, of a cloud's client: each has kinds of its own
        raise _unavailable(url, error) from error


def _unavailable(url: str, error: Exception) -> SourceUnavailable:
    return SourceUnavailable(
        f"{url} cannot be reached: {error or type(error).__name__}",
        fix="check the network and the credentials, then run again",
    )
