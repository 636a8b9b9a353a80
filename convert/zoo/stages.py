"""Which stages make the files that were asked for."""

from __future__ import annotations

from collections.abc import Collection

from convert.stages.base import Stage
from convert.stages.quantize import ToDynamicInt8, ToFloat16
from convert.stages.to_tflite import SavedModelToTflite
from convert.zoo.job import ModelTask, Target

_FLOAT_CHAIN = (Target.ONNX, Target.SAVED_MODEL, Target.FLOAT32)
"""Each is made of the one before; the quantized ones are all made of the last."""


def stages_for(task: ModelTask) -> tuple[Stage, ...]:
    """The stages of a task in the order they run: the float ones as far as they are needed, the others as asked for.

    Without targets there are none.
    """
    stages: dict[Target, Stage] = {
        Target.ONNX: task.export,
        Target.SAVED_MODEL: task.lower,
        Target.FLOAT32: SavedModelToTflite(),
        Target.FLOAT16: ToFloat16(),
        Target.DYNAMIC_INT8: ToDynamicInt8(),
        Target.INT8: task.int8,
    }
    return tuple(stage for target, stage in stages.items() if _is_needed(target, task.targets))


def _is_needed(target: Target, wanted: Collection[Target]) -> bool:
    """Whether the target was asked for, or something that is made of it."""
    if target in wanted or target not in _FLOAT_CHAIN:
        return target in wanted
    after = _FLOAT_CHAIN[_FLOAT_CHAIN.index(target) :]
    return any(each in after or each not in _FLOAT_CHAIN for each in wanted)
