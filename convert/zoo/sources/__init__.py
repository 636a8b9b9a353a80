"""Where checkpoints come from: what a source hashes to, and how it becomes a local file."""

from convert.zoo.sources.errors import ChecksumMismatch, SourceChanged, SourceMissing, SourceUnavailable
from convert.zoo.sources.fetch import fetch
from convert.zoo.sources.hashes import HashMemo
from convert.zoo.sources.key import source_key

__all__ = [
    "ChecksumMismatch",
    "HashMemo",
    "SourceChanged",
    "SourceMissing",
    "SourceUnavailable",
    "fetch",
    "source_key",
]
