"""What can be wrong with where a checkpoint comes from."""

from __future__ import annotations

from verify.errors import InfrastructureError, InputError


class SourceMissing(InputError):
    """There is nothing at the place a source names, or the place cannot be one."""


class ChecksumMismatch(InputError):
    """The bytes do not hash to what the manifest says."""


class SourceChanged(InputError):
    """A source is no longer what it was when the run was planned."""


class SourceUnavailable(InfrastructureError):
    """A source cannot be reached now: no network, no permission, a server's error."""


def checksum_mismatch(location: str, expected: str, found: str) -> ChecksumMismatch:
    """The error that names both hashes."""
    return ChecksumMismatch(
        f"{location} hashes to {found}, and the manifest says {expected}",
        fix="get the right file, or, if this is the one you mean, write its hash into the manifest as sha256",
    )
