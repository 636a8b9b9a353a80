"""What torchvision says of its own architectures: tasks, constructor variants, published files and preprocessing."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import torch

from verify.checkpoint.index import Architecture, Literal, Published
from verify.checkpoint.torchvision_shim import import_torchvision
from verify.samples import ImagePreprocessing

_TASKS = {"ImageClassification": "classification", "SemanticSegmentation": "segmentation"} | {
    "VideoClassification": "video",
    "ObjectDetection": "detection",
    "OpticalFlow": "optical_flow",
}
_HASH = re.compile(r"-([0-9a-f]{8,})\.\w+$")
_AUXILIARY_HEADS: dict[str, tuple[str, ...]] = {"googlenet": ("aux1.", "aux2."), "inception_v3": ("AuxLogits.",)}
_QUIET: dict[str, dict[str, Literal]] = {
    "googlenet": {"init_weights": False, "aux_logits": False},
    "inception_v3": {"init_weights": False, "aux_logits": False},
}
VERSION_1_STEM = "version-1 stem"


def hash_in_name(file_name: str) -> str:
    """The start of the SHA-256 that a published file carries in its name; empty if it carries none."""
    match = _HASH.search(file_name)
    return match[1] if match else ""


def catalogue(only: frozenset[str] | None = None) -> Iterator[Architecture]:
    """Every architecture with its variants; shapes are still to be filled in."""
    models = import_torchvision().models
    for name in models.list_models():
        if name.startswith("quantized_") or (only is not None and name not in only):
            continue
        yield from _variants(name)


def _variants(name: str) -> Iterator[Architecture]:
    weights = list(import_torchvision().models.get_model_weights(name))
    task = _task(weights)
    options = dict(_QUIET.get(name, {}))
    if task == "segmentation" and not name.startswith("lraspp"):
        options["aux_loss"] = False
    ignored = _AUXILIARY_HEADS.get(name, ("aux_classifier.",) if "aux_loss" in options else ())
    by_size: dict[int | None, list[Any]] = {None: []} if not name.startswith("vit_") else {}
    for weight in weights:
        by_size.setdefault(_image_size(name, weight), []).append(weight)
    if name.startswith("vit_"):
        by_size.setdefault(224, [])
    for size, entries in by_size.items():
        sized: dict[str, Literal] = options if size is None else {**options, "image_size": size}
        yield Architecture(
            "torchvision",
            name,
            0,
            (),
            task,
            options=tuple(sized.items()),
            ignored=ignored,
            preprocessing=_preprocessing(entries[0] if entries else weights[0], size),
            published=tuple(_published(name, entry) for entry in entries),
        )
    if name.startswith("mnasnet") and name != "mnasnet1_0":
        yield Architecture(
            "torchvision", name, 0, (), task, variant=VERSION_1_STEM, preprocessing=_preprocessing(weights[0], None)
        )


def constructor(
    architecture: Architecture, options: dict[str, Any] | None = None
) -> Callable[[int | None], torch.nn.Module]:
    """Builds the architecture for a number of classes; ``None`` is the library's default. No weights are fetched."""
    models = import_torchvision().models
    builder = models.get_model_builder(architecture.name)
    chosen: dict[str, Any] = {**(dict(architecture.options) if options is None else options), "weights": None}
    if "weights_backbone" in inspect.signature(builder).parameters:
        chosen["weights_backbone"] = None

    def make(classes: int | None) -> torch.nn.Module:
        module: torch.nn.Module = builder(**(chosen if classes is None else {"num_classes": classes, **chosen}))
        if architecture.variant == VERSION_1_STEM:
            _use_version_1_stem(module)
        return module

    return make


def _use_version_1_stem(module: torch.nn.Module) -> None:
    """MNASNet of 2019 did not scale its stem; loading a state_dict of that version makes the class change itself."""
    state = module.state_dict()
    state._metadata[""]["version"] = 1  # type: ignore[attr-defined]
    for name in list(state):
        if name.startswith(tuple(f"layers.{index}." for index in range(9))):
            del state[name]
    module.load_state_dict(state, strict=False)


def _task(weights: list[Any]) -> str:
    preset = weights[0].transforms
    return _TASKS[getattr(preset, "func", preset).__name__]


def _image_size(name: str, weight: Any) -> int | None:
    return int(weight.meta["min_size"][0]) if name.startswith("vit_") else None


def _preprocessing(weight: Any, image_size: int | None) -> ImagePreprocessing | None:
    preset = weight.transforms()
    if not hasattr(preset, "mean") or not hasattr(preset, "resize_size"):
        return None
    resize = preset.resize_size
    resize = int(resize[0] if isinstance(resize, (list, tuple)) else resize)
    crop = preset.crop_size[0] if hasattr(preset, "crop_size") else resize
    return ImagePreprocessing(
        resize=max(resize, image_size or 0),
        crop=int(image_size or crop),
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        interpolation=preset.interpolation.value,
    )


def _published(name: str, weight: Any) -> Published:
    file_name = weight.url.rpartition("/")[2]
    options: tuple[tuple[str, Literal], ...] = ()
    if name in _AUXILIARY_HEADS:
        options = (("transform_input", True),)
    return Published(file_name, hash_in_name(file_name), options)
