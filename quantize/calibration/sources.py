"""From whatever holds calibration samples to a folder of batches that a worker reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from verify.batches import batch_paths
from verify.errors import SamplesInvalid
from verify.mapped_arrays import mapped_arrays
from verify.samples.iterable_samples import write_iterable
from verify.samples.load import open_samples
from verify.samples.source import ArrayFile, ImageFolder, parse_samples
from verify.samples.spec import ImagePreprocessing, InputSpec
from verify.samples.write import write_calibration
from verify.signature import Signature, TensorSpec
from verify.worker import Worker

SYNTHETIC = "synthetic"
"""In place of samples: inputs distilled from a checkpoint's batch norms, by ``convert``."""

_CHANNELS_LAST = (0, 2, 3, 1)
_IMAGE_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class Normalisation:
    """``(pixel / 255 - mean) / std``, one number a channel or one for all."""

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class CalibrationBatches:
    """Samples as written. ``signature`` says how their axes lead to the model's, ``notes`` what was left out."""

    folder: Path
    signature: Signature
    notes: tuple[str, ...] = ()


def calibration_batches(
    source: str | Iterable[Any],
    signature: Signature,
    scratch: Path,
    worker: Worker,
    *,
    max_samples: int,
    normalisation: Normalisation | None = None,
) -> CalibrationBatches:
    """Samples of a folder of images or batches, a ``.npz`` or ``.npy`` file, ``module:callable``, or an iterable.

    Raises ``SamplesInvalid`` when they do not fit the model, or are to be distilled from it.
    """
    if source == SYNTHETIC:
        raise SamplesInvalid(
            "--calib synthetic distils inputs from batch norms, and a TFLite file has them folded away",
            fix="start from the checkpoint: convert pth2tflite MODEL.pth --calib synthetic; or give samples",
        )
    folder = scratch / "calibration"
    if not isinstance(source, str):
        write_iterable(source, sample_inputs(signature), folder, max_samples)
        return CalibrationBatches(folder, signature)
    if Path(source).is_dir() and batch_paths(Path(source)):
        return CalibrationBatches(Path(source), signature)
    parsed = parse_samples(source)
    if isinstance(parsed, ArrayFile) and parsed.path.suffix == ".npz":
        inputs = sample_inputs(signature)
        if worker.run(are_batches_already, source=parsed, inputs=inputs, max_samples=max_samples).value:
            return CalibrationBatches(parsed.path, signature)
    if isinstance(parsed, ImageFolder):
        signature = replace(signature, inputs=tuple(map(_as_image, signature.inputs)))
    written = worker.run(
        write_calibration,
        source=parsed,
        inputs=sample_inputs(signature, normalisation),
        folder=folder,
        max_samples=max_samples,
        hold_out=False,
    ).value
    notes = tuple(f"{each.subject}: {each.reason}" for each in written.refusals)
    described = (f"samples: {written.description}",) if isinstance(parsed, ImageFolder) else ()
    return CalibrationBatches(folder, signature, (*described, *notes))


def are_batches_already(source: ArrayFile, inputs: tuple[InputSpec, ...], max_samples: int) -> bool:
    """Job: whether a ``.npz`` holds what would be written of it, so that it can be read in place.

    Raises ``SamplesInvalid`` when one of its samples does not fit the model.
    """
    reader, arrays = open_samples(source, inputs), mapped_arrays(source.path)
    if set(arrays) != {spec.name for spec in inputs} or not 0 < (reader.count or 0) <= max_samples:
        return False
    return all(arrays[spec.name].dtype == spec.dtype for spec in inputs) and all(reader.read(range(reader.count or 0)))


def sample_inputs(signature: Signature, normalisation: Normalisation | None = None) -> tuple[InputSpec, ...]:
    """What samples have to be like."""
    return tuple(
        InputSpec(spec.name, spec.torch_shape, spec.dtype, preprocessing=_preprocessing(spec, normalisation))
        for spec in signature.inputs
    )


def _preprocessing(spec: TensorSpec, normalisation: Normalisation | None) -> ImagePreprocessing | None:
    """The short side to the input's size, the centre of the long one."""
    if normalisation is None or len(spec.shape) != len(_CHANNELS_LAST) or not isinstance(spec.torch_shape[2], int):
        return None
    size = spec.torch_shape[2]
    return ImagePreprocessing(size, size, normalisation.mean, normalisation.std)


def _as_image(spec: TensorSpec) -> TensorSpec:
    """An input that nothing is declared of, with its channels last where only that makes it an image."""
    undeclared = spec.permutation is None and len(spec.shape) == len(_CHANNELS_LAST)
    if undeclared and spec.shape[-1] in _IMAGE_CHANNELS and spec.shape[1] not in _IMAGE_CHANNELS:
        return replace(spec, permutation=_CHANNELS_LAST)
    return spec
