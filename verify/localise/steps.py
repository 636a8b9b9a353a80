"""Running single ops of a model, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from verify.artifact import Artifact, Format
from verify.errors import InputError
from verify.localise.graph import Graph, Op

if TYPE_CHECKING:
    from verify.localise.why import Details

Values = npt.NDArray[Any]
"""One tensor for all samples: ``(samples, *shape)``."""


@dataclass(frozen=True)
class Weights:
    """An op's quantized constant: which tensor it multiplies, its shape and steps (one, or one an output channel).

    ``depth`` is how many products add up to one output of a dense op.
    """

    input: str
    shape: tuple[int, ...]
    scales: npt.NDArray[np.float64]
    depth: int


class Steps(Protocol):
    """A model whose ops run one at a time, on values of the caller's choice.

    Values are as the model stores them: :meth:`real` dequantizes, :meth:`stored` quantizes.
    """

    @property
    def graph(self) -> Graph: ...

    @property
    def suffix(self) -> str:
        """Of the files that :meth:`extract` makes: ``.tflite``."""
        ...

    @property
    def fuses_activations(self) -> bool:
        """Whether an op may have an activation as an option, as TFLite's have."""
        ...

    def run(self, op: Op, feeds: Mapping[str, Values]) -> dict[str, Values]:
        """The op's outputs; raises ``OpNotRunnable``."""
        ...

    def run_plainly(self, op: Op, feeds: Mapping[str, Values]) -> dict[str, Values]:
        """The same by the runtime's reference kernels, where it has others for speed."""
        ...

    def real(self, tensor: str, stored: Values) -> Values: ...

    def stored(self, tensor: str, real: Values) -> Values: ...

    def levels(self, tensor: str) -> tuple[float, int] | None:
        """Scale and zero point of a quantized tensor."""
        ...

    def details(self, op: Op) -> Details:
        """The op's options and constants."""
        ...

    def weights(self, op: Op) -> Weights | None:
        """Those of an op that multiplies by quantized ones."""
        ...

    def extract(self, ops: Sequence[Op], inputs: Mapping[str, Any], output: str, out: Path) -> None:
        """Write the ops as a model of their own; ``inputs`` are the numpy dtypes of what it takes, in that order."""
        ...


def open_steps(artifact: Artifact) -> Steps:
    """The ops of an ONNX, SavedModel or TFLite model; raises ``InputError`` for other formats."""
    match artifact.format:
        case Format.ONNX:
            from verify.localise.onnx_steps import OnnxSteps

            return OnnxSteps(artifact.path)
        case Format.TFLITE:
            from verify.localise.tflite_steps import TfliteSteps

            return TfliteSteps(artifact.path)
        case Format.SAVED_MODEL:
            from verify.localise.saved_model_steps import SavedModelSteps

            return SavedModelSteps(artifact.path)
        case _:
            raise InputError(
                f"{artifact.path.name} is {artifact.format}: expected ONNX, SavedModel or TFLite, to run op by op",
                fix="compare the ONNX or TFLite file that it was made from, or that was made of it",
            )


def stacked(found: Sequence[Sequence[Values]]) -> list[Values]:
    """``found[sample][output]`` → one array an output, the samples in front; raises ``ValueError`` if sizes differ."""
    return [np.stack(arrays) for arrays in zip(*found, strict=True)]
