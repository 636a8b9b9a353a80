"""Quantizing a file from Python."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quantize.budget.goal import Budget
    from quantize.command import Quantized


def quantize(
    model: str | Path,
    *,
    calib: str | Path | Iterable[Any] | None = None,
    to: str = "int8",
    output: str | Path | None = None,
    recipe: str | Path | None = None,
    int8_io: str = "int8",
    ranges: str = "auto",
    corrections: str = "auto",
    max_samples: int = 128,
    budget: Budget | None = None,
    evaluation: str | Path | None = None,
    even_if_missed: bool = False,
) -> Quantized:
    """Quantize a float TFLite file; what comes back has the new file, its recipe, and what stayed in float and why.

    Args:
        model: any float TFLite file.
        calib: samples for int8: a folder of images or batches, ``.npz``/``.npy``, ``module:callable``, or an object
            that gives them, as a torch ``DataLoader`` or ``Dataset`` does. Of an object no more than ``max_samples``
            are read, in this process.
        to: ``int8``, ``dynamic_int8`` or ``float16``; the latter two take no samples.
        output: the file to write; beside the model if left out.
        recipe: make int8 again as this recipe says, the same bytes.
        int8_io: what the int8 file takes and gives: ``int8``, ``uint8`` or ``float32``.
        ranges: how ranges are chosen: ``auto`` tries several methods on samples held back.
        corrections: against rounding's harm, as the command takes them: ``auto``, ``none``, or names.
        max_samples: use at most this many calibration samples.
        budget: what may be lost (:class:`quantize.budget.goal.Budget`); ops are lifted to float until it is kept.
            ``result.budget`` of what comes back says which and why, and whether it is met for sure.
        evaluation: samples that judge the budget, with labels where there are: a folder with one folder a class, or a
            ``.npz`` with an array ``truth``. Without, every fourth calibration sample judges.
        even_if_missed: write the file that comes closest where none keeps the budget, instead of ``BudgetMissed``.

    Raises:
        ToolError: typed, its ``exit_code`` that of the command.
    """
    from quantize.calibration.method_names import RangesOption
    from quantize.command import Request, Target, quantize_file
    from quantize.recipe import IoType

    request = Request(
        Path(model),
        Target(to),
        None if output is None else Path(output),
        str(calib) if isinstance(calib, Path) else calib,
        None if recipe is None else Path(recipe),
        io=IoType(int8_io),
        max_samples=max_samples,
        budget=budget,
        evaluation=None if evaluation is None else str(evaluation),
        even_if_missed=even_if_missed,
        corrections=corrections,
        ranges=RangesOption(ranges),
    )
    return quantize_file(request)
