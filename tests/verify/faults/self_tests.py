"""The self-test of two files, on few samples."""

from __future__ import annotations

from pathlib import Path

from verify.chain.settings import ChainSettings
from verify.faults.result import SelfTest
from verify.faults.self_test import self_test


def run_self_test(expected: Path, actual: Path, kinds: tuple[str, ...] = (), **settings: object) -> SelfTest:
    return self_test((expected, actual), ChainSettings(max_samples=16, **settings), lambda _phrase: None, kinds=kinds)
