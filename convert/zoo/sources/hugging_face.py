"""Checkpoints on Hugging Face, one file of a repository at one commit."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from convert.zoo.sources.errors import SourceMissing, SourceUnavailable
from verify.errors import MissingDependency, ToolError

_COMMIT = re.compile(r"[0-9a-f]{40}")
_TIMEOUT_S = 30.0
_HOW = "write hf://ORGANISATION/REPOSITORY/FILE, with @REVISION after it for another than main"


@dataclass(frozen=True)
class HubPlace:
    """A file of a repository. ``revision`` is a branch, a tag or a commit."""

    repository: str
    file: str
    revision: str = "main"


def parse_location(text: str) -> HubPlace:
    """``org/repo/folder/file@revision``; raises ``SourceMissing`` for what is no such thing."""
    place, at, revision = text.rpartition("@")
    if not at:
        place, revision = text, "main"
    organisation, _, rest = place.partition("/")
    repository, _, file = rest.partition("/")
    if not all((organisation, repository, file, revision)):
        raise SourceMissing(f"hf://{text} names no file of a repository", fix=_HOW)
    return HubPlace(f"{organisation}/{repository}", file, revision)


def resolved_commit(place: HubPlace) -> str:
    """The commit that the revision means now; no network is asked for one that is a commit already."""
    if _COMMIT.fullmatch(place.revision):
        return place.revision
    hub = _library()
    with _typed(place):
        info = hub.HfApi().repo_info(place.repository, revision=place.revision, timeout=_TIMEOUT_S)
        return str(info.sha)


def download(place: HubPlace, target: Path) -> None:
    """Bring the file to ``target``, whole or not at all."""
    hub = _library()
    with tempfile.TemporaryDirectory(dir=target.parent) as folder, _typed(place):
        commit = resolved_commit(place)
        got = hub.hf_hub_download(place.repository, place.file, revision=commit, local_dir=folder)
        shutil.move(got, target)


def _library() -> ModuleType:
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingDependency(
            "huggingface_hub is needed for hf:// sources and is not installed", fix="pip install huggingface_hub"
        ) from error
    return huggingface_hub


@contextlib.contextmanager
def _typed(place: HubPlace) -> Iterator[None]:
    """The library's errors as our own: what is not there, and what cannot be reached."""
    from huggingface_hub import errors

    name = f"hf://{place.repository}/{place.file}@{place.revision}"
    try:
        yield
    except ToolError:
        raise
    except errors.LocalEntryNotFoundError as error:  # its word for a network that failed; it is an EntryNotFound too
        raise SourceUnavailable(f"{name} cannot be reached: {error}", fix=_NO_NETWORK) from error
    except (errors.RepositoryNotFoundError, errors.EntryNotFoundError, errors.RevisionNotFoundError) as error:
        raise SourceMissing(
            f"{name} is not on Hugging Face, or not for you: {error}",
            fix="check the name; for a private or gated repository, log in with `hf auth login`",
        ) from error
    except errors.HFValidationError as error:
        raise SourceMissing(f"{name} cannot be a repository's name: {error}", fix=_HOW) from error
    except Exception as error:  # of httpx, requests or the system, by the library's version
        raise SourceUnavailable(f"{name} cannot be reached: {error}", fix=_NO_NETWORK) from error


_NO_NETWORK = "check the network; without one, download the file elsewhere and give its path as the source"
