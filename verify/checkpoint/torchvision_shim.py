"""Import torchvision where its compiled operators cannot load: with a CPU-only torch and the wheel made for CUDA.

Without them ``import torchvision`` dies on ``operator torchvision::nms does not exist``, although no classification
net needs one. Declaring the schemas it looks up is enough to import; calling such an operator still fails.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from verify.errors import MissingDependency

if TYPE_CHECKING:
    from torch.library import Library

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def import_torchvision() -> ModuleType:
    """``torchvision`` with all its architectures, whether its compiled operators load or not."""
    if not make_torchvision_importable():
        raise MissingDependency(
            "torchvision is needed for this architecture and is not installed", fix="pip install torchvision"
        )
    import torchvision

    module: ModuleType = torchvision
    return module


@functools.cache
def make_torchvision_importable() -> bool:
    """Have the operators there, without importing torchvision: other code may. False if it is not installed."""
    import torch

    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return False
    _load_compiled_operators(Path(spec.submodule_search_locations[0]))
    if not hasattr(torch.ops.torchvision, "nms"):
        _declare_missing_operators()
    return True


def _load_compiled_operators(folder: Path) -> None:
    """Load torchvision's own library first: a schema declared before it loads would clash with its own."""
    import torch

    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        library = folder / f"_C{suffix}"
        if library.is_file():
            with contextlib.suppress(OSError):
                torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]


@functools.cache
def _declare_missing_operators() -> Library:
    """Declare the schemas; the cache keeps the library alive, and with it what it declared."""
    from torch.library import Library

    library = Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    return library
