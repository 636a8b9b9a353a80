"""Samples from a folder of images, prepared as torchvision prepares PIL images (its transforms are cited below)."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from verify.errors import SamplesInvalid
from verify.report.types import Refusal
from verify.samples.fit import Sample, as_input
from verify.samples.source import ImageFolder
from verify.samples.spec import ImagePreprocessing, InputSpec

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
_UNEVEN = 4
"""Times as many images of one class as of another."""
_MODE_OF_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}


class ImageReader:
    """One file is one sample, decoded when it is read; files that are no images are left out, with the reason."""

    def __init__(self, source: ImageFolder, inputs: tuple[InputSpec, ...]) -> None:
        self._folder = source.path
        self._spec = _image_input(inputs, source.path)
        self._channels = _channels(self._spec)
        self._preprocessing = effective_preprocessing(self._spec)
        self._files = image_files(source.path)
        self._unreadable: dict[str, list[str]] = defaultdict(list)
        self._classes: Counter[str] = Counter()
        if not self._files:
            raise SamplesInvalid(
                f"{source.path} holds no images: expected files ending in {', '.join(sorted(IMAGE_SUFFIXES))}",
                fix="name a folder of images, or a .npz file",
            )
        self.count = len(self._files)

    @property
    def description(self) -> str:
        """``images from photos/`` and, where nothing is known of the normalisation, that there was none."""
        assumed = "" if self._spec.preprocessing else " (scaled to 0..1, not normalised: no preprocessing is known)"
        return f"images from {self._folder.name}/{assumed}"

    @property
    def rejections(self) -> tuple[Refusal, ...]:
        """The files left out so far, one refusal a reason."""
        return tuple(
            Refusal(
                stage="samples",
                subject=names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more",
                reason=reason,
                remedy="replace or remove the file",
                count=len(names),
            )
            for reason, names in self._unreadable.items()
        )

    @property
    def imbalance(self) -> tuple[Refusal, ...]:
        """What is to be said where folders are classes and the images read so far are mostly of some."""
        if len(self._classes) < 2 or max(self._classes.values()) < _UNEVEN * min(self._classes.values()):
            return ()
        (most, many), *_, (least, few) = self._classes.most_common()
        return (
            Refusal(
                stage="samples",
                subject=self._folder.name,
                reason=f"classes are not even: {many} images are of {most}/, {few} of {least}/",
                remedy="give about as many of each, as the model will see them",
            ),
        )

    def read(self, indices: Iterable[int]) -> Iterator[Sample]:
        """The images of these indices that can be read."""
        for index in indices:
            path = self._files[index]
            prepared = self._prepared(path)
            if prepared is not None:
                if path.parent != self._folder:
                    self._classes[path.relative_to(self._folder).parts[0]] += 1
                yield {self._spec.name: as_input(self._spec, prepared[None], str(path))}

    def _prepared(self, path: Path) -> npt.NDArray[np.float32] | None:
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(path) as image:
                converted = image.convert(_MODE_OF_CHANNELS[self._channels])
        except UnidentifiedImageError:
            reason = "not an image that Pillow knows"
        except (OSError, SyntaxError, ValueError, TypeError, EOFError, Image.DecompressionBombError) as error:
            reason = f"cannot be decoded: {str(error) or type(error).__name__}"
        else:
            return prepare(converted, self._preprocessing)
        self._unreadable[reason].append(path.relative_to(self._folder).as_posix())
        return None


def image_files(folder: Path) -> tuple[Path, ...]:
    """All image files under a folder by relative path; hidden files and folders are left out."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    visible = (path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    return tuple(sorted(visible, key=lambda path: path.relative_to(folder).as_posix()))


def prepare(image: Image, preprocessing: ImagePreprocessing) -> npt.NDArray[np.float32]:
    """Resize the short side, crop the centre, scale to 0..1, normalise: ``(channels, crop, crop)``.

    The arithmetic is that of torchvision's ``Resize``, ``CenterCrop``, ``ToTensor`` and ``Normalize`` on a PIL image.
    """
    cropped = _centre_crop(_resize_short_side(image, preprocessing), preprocessing.crop)
    pixels = np.asarray(cropped, dtype=np.float32)
    planes = (pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)) / np.float32(255)
    mean = np.array(_per_channel(preprocessing.mean, len(planes)), np.float32)[:, None, None]
    std = np.array(_per_channel(preprocessing.std, len(planes)), np.float32)[:, None, None]
    normalised: npt.NDArray[np.float32] = (planes - mean) / std
    return normalised


def effective_preprocessing(spec: InputSpec) -> ImagePreprocessing:
    """The input's preprocessing, scaled to its static height and width where those were overridden.

    Without a known one: the short side to the input's size, and no normalisation.
    """
    height, width = spec.shape[2:]
    known = spec.preprocessing
    if isinstance(height, str) or isinstance(width, str):
        return known or ImagePreprocessing(256, 224, (0.0,), (1.0,))
    if height != width:
        raise SamplesInvalid(
            f"input {spec.name} is {height}×{width}: images are cropped square, and how to fit yours is not known",
            fix="prepare the images yourself and give them as a .npz file",
        )
    if known is None:
        return ImagePreprocessing(height, height, (0.0,), (1.0,))
    if known.crop == height:
        return known
    return dataclasses.replace(known, resize=round(known.resize * height / known.crop), crop=height)


def _image_input(inputs: tuple[InputSpec, ...], folder: Path) -> InputSpec:
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or np.dtype(inputs[0].dtype).kind != "f":
        takes = ", ".join(f"{spec.name} {spec.dtype}({', '.join(map(str, spec.shape))})" for spec in inputs)
        raise SamplesInvalid(
            f"{folder} is a folder of images, but the model takes {takes}: expected one float input (N, C, H, W)",
            fix="give the samples as a .npz file with one array an input",
        )
    return inputs[0]


def _channels(spec: InputSpec) -> int:
    channels = spec.shape[1]
    if not isinstance(channels, int) or channels not in _MODE_OF_CHANNELS:
        raise SamplesInvalid(
            f"input {spec.name} has {channels} channels: images give 1 (grey), 3 (RGB) or 4 (RGBA)",
            fix="give the samples as a .npz file",
        )
    return channels


def _per_channel(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """RGB statistics serve a grey image by their mean; one value serves every channel."""
    if len(values) == channels:
        return values
    if len(values) == 1 or channels == 1:
        return (sum(values) / len(values),) * channels
    raise SamplesInvalid(f"the preprocessing has {len(values)} means or deviations for {channels} channels")


def _resize_short_side(image: Image, preprocessing: ImagePreprocessing) -> Image:
    """As torchvision's ``_compute_resized_output_size`` has it: the long side is truncated."""
    from PIL import Image as Pillow

    width, height = image.size
    short, long = min(width, height), max(width, height)
    if short == preprocessing.resize:
        return image
    new_long = int(preprocessing.resize * long / short)
    size = (preprocessing.resize, new_long) if width <= height else (new_long, preprocessing.resize)
    return image.resize(size, Pillow.Resampling[preprocessing.interpolation.upper()])


def _centre_crop(image: Image, crop: int) -> Image:
    """As torchvision's ``center_crop`` has it: rounds half to even, pads what is smaller with black."""
    from PIL import Image as Pillow

    width, height = image.size
    if width < crop or height < crop:
        padded = Pillow.new(image.mode, (max(width, crop), max(height, crop)))
        padded.paste(image, (max(crop - width, 0) // 2, max(crop - height, 0) // 2))
        image, (width, height) = padded, padded.size
    left, top = round((width - crop) / 2), round((height - crop) / 2)
    return image.crop((left, top, left + crop, top + crop))
