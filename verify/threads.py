"""How many threads a runtime computes with."""

from __future__ import annotations

import os

MOST_THREADS = 2
"""More gain little at batch 1 to 5, and a report's latencies should not depend on how large the machine is."""


def runtime_threads() -> int:
    """Two, or what ``OMP_NUM_THREADS`` says if fewer, as for jobs that share a machine. Results do not depend on it."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(MOST_THREADS, int(asked))) if asked.isdigit() else MOST_THREADS
