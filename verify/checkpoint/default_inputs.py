"""What a library's architecture takes where nobody says: the input of its published weights."""

from __future__ import annotations

from verify.checkpoint.index import Architecture
from verify.checkpoint.input_specs import image_input
from verify.checkpoint.recognise import Recognised
from verify.samples import ImagePreprocessing, InputSpec
from verify.signature import BATCH

_COLOUR_CHANNELS = 3
_CLIP_FRAMES = 16
"""What torchvision's video nets were trained on; MViT takes no other number."""


def default_inputs(
    entry: Architecture | None, found: Recognised | None
) -> tuple[tuple[InputSpec, ...], tuple[str, ...]]:
    """The picture or clip that the architecture's published weights take, and what was assumed; empty if not known."""
    if entry is not None and entry.task == "video" and entry.preprocessing is not None:
        return _default_clip(entry)
    if entry is None or entry.preprocessing is None or entry.task not in ("classification", "segmentation"):
        return (), ()
    settings = entry.preprocessing
    channels = found.input_channels if found and found.input_channels else _COLOUR_CHANNELS
    mean, std, notes = settings.mean, settings.std, [_preprocessing_note(entry)]
    if channels != _COLOUR_CHANNELS:
        mean = (sum(settings.mean) / len(settings.mean),) * channels
        std = (sum(settings.std) / len(settings.std),) * channels
        notes.append(f"the first layer takes {channels} channels: mean and std are the averages over the three colours")
    preprocessing = ImagePreprocessing(settings.resize, settings.crop, mean, std, settings.interpolation)
    return (image_input(channels, preprocessing),), tuple(notes)


def _default_clip(entry: Architecture) -> tuple[tuple[InputSpec, ...], tuple[str, ...]]:
    """A clip of the published weights' picture size; its pictures are to be normalised by whoever feeds it."""
    assert entry.preprocessing is not None
    side, mean, std = entry.preprocessing.crop, entry.preprocessing.mean, entry.preprocessing.std
    note = (
        f"input size is that of {entry.title}'s published weights, {_CLIP_FRAMES} frames of {side} x {side}, which are "
        f"normalised by mean {list(mean)} and std {list(std)}; another: --input clip=N,3,FRAMES,HEIGHT,WIDTH"
    )
    return (InputSpec("clip", (BATCH, _COLOUR_CHANNELS, _CLIP_FRAMES, side, side)),), (note,)


def _preprocessing_note(entry: Architecture) -> str:
    settings = entry.preprocessing
    assert settings is not None
    return (
        f"input size and preprocessing are those of {entry.title}'s published weights: resize {settings.resize}, crop "
        f"{settings.crop}; another size: --input image=N,3,HEIGHT,WIDTH"
    )
