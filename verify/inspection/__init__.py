"""What a model file is made of, in every format, without running it. ``verify inspect`` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from verify.inspection.types import Inspection


def inspect_model(path: Path) -> Inspection:
    """See :func:`verify.inspection.opening.inspect_model`."""
    from verify.inspection import opening

    return opening.inspect_model(path)
