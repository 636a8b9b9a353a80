"""Labels that come with samples, and the measure that such labels are for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from verify.errors import SamplesInvalid
from verify.samples.source import ArrayFile, ImageFolder, SampleSource
from verify.task.average_precision import MeanAp
from verify.task.measures import Array, MeanIou, Measure, TopK

LABELS = ("truth", "labels", "label", "targets", "target", "y")
"""Names that a ``.npz`` may have its labels under."""
_BOX = 5


def labels_of(source: SampleSource, inputs: set[str], count: int) -> tuple[Array | None, int | None]:
    """Labels, one a sample, and the number of folders where they are their names' order; ``None`` for none.

    Labels are an array of a ``.npz`` beside the inputs, or the folders of images. Raises ``SamplesInvalid`` when there
    are fewer or more than samples.
    """
    named = None
    match source:
        case ArrayFile(path) if path.suffix == ".npz":
            found = _labels_in(path, inputs)
        case ImageFolder(path):
            found, named = folders_as_labels(path)
        case _:
            return None, None
    if found is not None and len(found) != count:
        raise SamplesInvalid(f"there are {count} samples and {len(found)} labels", fix="give one label a sample")
    return found, named


def _labels_in(path: Path, inputs: set[str]) -> Array | None:
    with np.load(path, allow_pickle=False) as archive:
        named = [name for name in LABELS if name in archive.files and name not in inputs]
        return archive[named[0]] if named else None


def folders_as_labels(folder: Path) -> tuple[Array | None, int | None]:
    """Images in folders: a class a folder, in the order of their names; by number where all names are numbers."""
    from verify.samples.image_folder import image_files

    files = image_files(folder)
    places = [path.relative_to(folder).parts for path in files]
    if not all(len(parts) > 1 for parts in places):
        return None, None
    names = sorted({parts[0] for parts in places})
    numbered = all(map(str.isdecimal, names))
    numbers = {name: int(name) if numbered else at for at, name in enumerate(names)}
    return np.array([numbers[parts[0]] for parts in places], np.int64), None if numbered else len(names)


def measure_of(truth: Array) -> Measure:
    """A class a sample: top-1; a class a pixel (n, h, w): mIoU; boxes (n, most, 5): mAP. Raises ``SamplesInvalid``."""
    if truth.ndim == 1 and truth.dtype.kind in "iu":
        return TopK(1)
    if truth.ndim == 3 and truth.shape[-1] == _BOX and truth.dtype.kind == "f":
        return MeanAp()
    if truth.ndim == 3 and truth.dtype.kind in "iu":
        return MeanIou()
    raise SamplesInvalid(
        f"labels {truth.dtype}{list(truth.shape)} are for no measure that is known: expected integer classes "
        "(samples,) or (samples, height, width), or float boxes (samples, most, 5)",
        fix="give labels of one of these kinds, or name the measure with --metric where there is that option",
    )
