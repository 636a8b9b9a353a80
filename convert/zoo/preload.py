"""What the fork servers of a slot import, so that no job has to: everything that a usual run ever imports."""

from __future__ import annotations

from convert.stages.base import Host

PRELOAD: dict[Host, tuple[str, ...]] = {
    Host.TORCH: ("torch", "verify.checkpoint"),
    Host.TENSORFLOW: ("tensorflow",),
    Host.RUNTIME: ("numpy", "onnxruntime"),
}
JOB_PRELOAD = ("convert.zoo.child:prepare", "convert.run", "convert.zoo.conversion")
