"""The main job from Python."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convert.settings import RunSettings
    from convert.stages.export import ExportOnnx
    from convert.stages.lower import OnnxToSavedModel
    from convert.stages.quantize import ToInt8
    from verify.report.types import Report


def pth2tflite(
    checkpoint: str | Path,
    *,
    output: str | Path | None = None,
    calib: str | Path | Iterable[Any] | None = None,
    samples: str | None = None,
    export: ExportOnnx | None = None,
    lower: OnnxToSavedModel | None = None,
    int8: ToInt8 | None = None,
    settings: RunSettings | None = None,
    progress: bool = False,
) -> Report:
    """Convert a checkpoint to TensorFlow Lite, verify every step, and return the report.

    Args:
        checkpoint: a state_dict, training checkpoint, safetensors, TorchScript or ``.pt2`` file.
        output: folder to publish to; by default the model's name, in the current folder.
        calib: samples to calibrate int8 on: a folder of images, ``.npz``/``.npy``, ``module:callable``, ``synthetic``,
            or an object that gives them, as a torch ``DataLoader`` or ``Dataset`` does. Of an object no more are read
            than calibrate and judge, in this process.
        samples: samples to judge on; by default held out from ``calib``, else random.
        export: options of the export, the checkpoint's architecture and inputs among them.
        lower: options of the lowering to TensorFlow.
        int8: options of static int8; nothing is made of it without ``calib``.
        settings: seeds, budgets and limits; ``output``, ``calib`` and ``samples`` given here take precedence over it.
        progress: report stages on stderr.

    Raises:
        ToolError: typed, its ``exit_code`` that of the command. A model that converts but does not agree raises
            nothing: ``report.verdict`` says so.
    """
    import dataclasses

    from convert.progress import Progress
    from convert.run import convert
    from convert.settings import RunSettings
    from convert.stages.export import ExportOnnx
    from convert.stages.lower import OnnxToSavedModel
    from convert.stages.quantize import ToDynamicInt8, ToFloat16, ToInt8
    from convert.stages.to_tflite import SavedModelToTflite
    from verify.console import progress_console

    given = None if isinstance(calib, (str, Path)) else calib
    settings = settings or RunSettings(command="pth2tflite() from Python")
    settings = dataclasses.replace(
        settings,
        output=Path(output) if output is not None else settings.output,
        calibration=str(calib) if isinstance(calib, (str, Path)) else settings.calibration,
        evaluation=samples if samples is not None else settings.evaluation,
    )
    stages = (
        export or ExportOnnx(),
        lower or OnnxToSavedModel(),
        SavedModelToTflite(),
        ToFloat16(),
        ToDynamicInt8(),
        int8 or ToInt8(),
    )
    with Progress(progress_console(), quiet=not progress) as observer:
        return convert(Path(checkpoint), stages, settings, observer, calibration=given).report
