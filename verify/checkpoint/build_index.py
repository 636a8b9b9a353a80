"""Rebuild the architecture index: ``python -m verify.checkpoint.build_index [torchvision|timm] [--out FOLDER]``.

Each architecture is built without memory, with two different numbers of classes: the dims that differ are those
that the number of classes decides. The input channels are the stem's: the first convolution that takes three.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch

from verify.checkpoint.construction import on_meta
from verify.checkpoint.index import (
    LIBRARIES,
    Architecture,
    Literal,
    Published,
    index_path,
    write_index,
)
from verify.samples import ImagePreprocessing

Shapes = Mapping[str, tuple[int, ...]]
Indexed = tuple[Architecture, tuple[str, ...]]
_PROBED_CLASSES = (1000, 7, 11)
_COLOUR_CHANNELS = 3


def main(arguments: list[str]) -> None:
    """Build the indexes that are asked for, both by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("libraries", nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args(arguments)
    for library in options.libraries or LIBRARIES:
        path = index_path(library) if options.out is None else options.out / f"{library}.json.gz"
        build(library, path)
        sys.stderr.write(f"{path}: {path.stat().st_size} bytes\n")


def build(library: str, path: Path, only: frozenset[str] | None = None) -> None:
    """Write the index of an installed library to ``path``; ``only`` restricts it to some architectures."""
    skipped: dict[str, str] = {}
    sources = {"torchvision": torchvision_architectures, "timm": timm_architectures}
    found = list(sources[library](skipped, only))
    write_index(path, found, {library: importlib.metadata.version(library)}, skipped)


def shapes_of(make: Callable[[], torch.nn.Module]) -> Shapes:
    """Shapes of a net's tensors by name, bookkeeping left out."""
    try:
        state = on_meta(make).state_dict()
    except RuntimeError:  # the constructor computes with its parameters (SSDLite)
        state = make().state_dict()
    return {
        name: tuple(tensor.shape)
        for name, tensor in state.items()
        if isinstance(tensor, torch.Tensor) and not name.endswith("num_batches_tracked")
    }


def patterns(probes: tuple[Shapes, Shapes, Shapes]) -> tuple[tuple[str, ...], str]:
    """Dims of each tensor as the index writes them, and the stem's name, from nets with 1000, 7 and 11 classes."""
    default = probes[0]
    stem = next(
        (n for n, s in default.items() if len(s) >= 4 and s[1] == _COLOUR_CHANNELS and n.endswith("weight")), ""
    )
    dims: list[str] = []
    for name, shape in default.items():
        tokens = [_token(tuple(probe[name][axis] for probe in probes)) for axis in range(len(shape))]
        if name == stem:
            tokens[1] = "i"
        dims.append(",".join(tokens))
    return tuple(dims), stem.removesuffix(".weight")


def _token(sizes: tuple[int, ...]) -> str:
    default, few, more = sizes
    if few == more:
        return str(default)
    factor = (more - few) // (_PROBED_CLASSES[2] - _PROBED_CLASSES[1])
    return f"c{factor}+{few - factor * _PROBED_CLASSES[1]}"


def _indexed(base: Architecture, make: Callable[[int | None], torch.nn.Module], *, has_classes: bool = True) -> Indexed:
    few, more = _PROBED_CLASSES[1:]
    default = shapes_of(lambda: make(None))
    probes = (default, shapes_of(lambda: make(few)), shapes_of(lambda: make(more))) if has_classes else (default,) * 3
    shapes, stem = patterns(probes)
    fields = {**vars(base), "shapes": shapes, "stem": stem}
    return Architecture(**fields), tuple(default)


def torchvision_architectures(skipped: dict[str, str], only: frozenset[str] | None = None) -> Iterator[Indexed]:
    """Every architecture that ``torchvision.models.list_models`` names, except the ones made for eager quantization."""
    from verify.checkpoint.torchvision_catalogue import catalogue, constructor

    for base in catalogue(only):
        try:
            yield _indexed(base, constructor(base), has_classes=base.task != "optical_flow")
        except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
            skipped[base.name] = f"{type(error).__name__}: {error}"[:200]


def timm_architectures(skipped: dict[str, str], only: frozenset[str] | None = None) -> Iterator[Indexed]:
    """Every architecture that ``timm.list_models`` names, with three-channel input."""
    from verify.checkpoint.torchvision_shim import import_torchvision

    import_torchvision()
    import timm

    for name in timm.list_models():
        if only is not None and name not in only:
            continue

        def make(classes: int | None, name: str = name) -> torch.nn.Module:
            module: torch.nn.Module = timm.create_model(name, **({} if classes is None else {"num_classes": classes}))
            return module

        try:
            yield _indexed(_timm_base(name), make)
        except Exception as error:  # hundreds of constructors; the reason is kept in the index
            skipped[name] = f"{type(error).__name__}: {error}"[:200]


def _timm_base(name: str) -> Architecture:
    import timm

    settings = timm.get_pretrained_cfg(name)
    if settings is None:
        return Architecture("timm", name, 0, (), "classification")
    size = int(settings.input_size[-1])
    preprocessing = ImagePreprocessing(
        resize=int(size / (settings.crop_pct or 1)),
        crop=size,
        mean=tuple(settings.mean),
        std=tuple(settings.std),
        interpolation=settings.interpolation,
    )
    file_name = (settings.url or "").rpartition("/")[2]
    published = (Published(file_name, _hash_in(file_name)),) if file_name else ()
    return Architecture("timm", name, 0, (), "classification", preprocessing=preprocessing, published=published)


def _hash_in(file_name: str) -> str:
    from verify.checkpoint.torchvision_catalogue import hash_in_name

    return hash_in_name(file_name)


__all__ = ["Literal", "build", "main", "patterns", "shapes_of"]

if __name__ == "__main__":
    main(sys.argv[1:])
