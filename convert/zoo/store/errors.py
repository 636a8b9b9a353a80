"""What can be wrong with a store."""

from __future__ import annotations

import errno

from verify.errors import DiskFull, InfrastructureError


class StoreDamaged(InfrastructureError):
    """A file that the store should hold is gone, or its bytes have changed; making it again heals the store."""


class StoreUnavailable(InfrastructureError):
    """A store cannot be read or written now: no network, no permission, a server's error."""


def damaged(url: str, path: str, sha256: str, how: str) -> StoreDamaged:
    """The error that names the file and what is wrong with it."""
    return StoreDamaged(
        f"{path} (sha256 {sha256[:12]}…) {how} in the store {url}",
        fix="run the job again: it makes the file anew, and the store holds it again",
    )


def unavailable(url: str, what: str, error: OSError) -> InfrastructureError:
    """What the file system or the network said, as an error of ours."""
    said = f"the store {url} {what}: {error.strerror or error}"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(said, fix="convert zoo gc makes room; or name another store with --store")
    return StoreUnavailable(said, fix="check that it can be reached and written to, or name another with --store")
