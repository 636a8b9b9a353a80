"""What ``--arch`` names, and how it is built: torchvision's and timm's architectures, and the user's own classes."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from verify.checkpoint.index import LIBRARIES, Architecture, load_index
from verify.checkpoint.recognise import Recognised
from verify.checkpoint.torchvision_shim import import_torchvision, make_torchvision_importable
from verify.errors import ArchitectureUnknown, MissingDependency

_QUANTIZED = "quantized_"
_HOW = "write --arch torchvision:NAME, timm:NAME, FILE.py:CLASS or PACKAGE.MODULE:CLASS"


@dataclass(frozen=True)
class ArchitectureName:
    """``--arch`` taken apart. ``library`` is ``torchvision``, ``timm``, or empty for a class of the user's."""

    text: str
    library: str
    place: str
    name: str


def parse_arch(text: str) -> ArchitectureName:
    """``torchvision:resnet18``, ``net.py:Net`` …; raises ``ArchitectureUnknown`` for what is neither."""
    place, separator, name = text.rpartition(":")
    if not separator or not place or not name:
        guess = f"; did you mean torchvision:{text}?" if text in load_index("torchvision").architecture_names else ""
        raise ArchitectureUnknown(f"--arch {text} names no library, file or module{guess}", fix=_HOW)
    return ArchitectureName(text, place if place in LIBRARIES else "", place, name)


def indexed(arch: ArchitectureName) -> list[Architecture]:
    """The library's architecture of that name, in all its variants; raises ``ArchitectureUnknown``."""
    index = load_index(arch.library)
    found = index.named(arch.name)
    if not found:
        _refuse_quantized(arch, index.architecture_names)
        close = difflib.get_close_matches(arch.name, index.architecture_names, 3)
        hint = f"; close to it: {', '.join(f'{arch.library}:{name}' for name in close)}" if close else ""
        raise ArchitectureUnknown(f"{arch.library} has no architecture {arch.name}{hint}", fix=_HOW)
    return found


def _refuse_quantized(arch: ArchitectureName, names: tuple[str, ...]) -> None:
    """Quantized variants of torchvision are no float nets: they hold int8 weights, which no exporter takes."""
    float_name = arch.name.removeprefix(_QUANTIZED)
    if arch.library == "torchvision" and arch.name != float_name and float_name in names:
        raise ArchitectureUnknown(
            f"{arch.text} cannot be converted: quantized variants hold int8 weights in torch's own format",
            fix="convert the float one and let pth2tflite quantize it: "
            f"--arch torchvision:{float_name} --calib SAMPLES",
        )


def recognised_maker(found: Recognised) -> Callable[[], torch.nn.Module]:
    """Builds a recognised architecture, with the classes and input channels that the tensors have."""
    options = dict(found.architecture.options) | dict(found.published.options if found.published else ())

    def make() -> torch.nn.Module:
        module = library_constructor(found.architecture, options)(found.classes)
        if found.input_channels is not None and found.architecture.stem:
            _set_input_channels(module, found.architecture.stem, found.input_channels)
        return module

    return make


def library_constructor(architecture: Architecture, options: dict[str, Any]) -> Callable[[int | None], torch.nn.Module]:
    """Builds an indexed architecture for a number of classes (``None``: the library's default), without weights."""
    require_library(architecture.library)
    if architecture.library == "torchvision":
        from verify.checkpoint.torchvision_catalogue import constructor

        return constructor(architecture, options)

    def make(classes: int | None) -> torch.nn.Module:
        import timm

        chosen = options if classes is None else {"num_classes": classes, **options}
        module: torch.nn.Module = timm.create_model(architecture.name, pretrained=False, **chosen)
        return module

    return make


def require_library(library: str) -> None:
    """Import torchvision (timm needs it too); raises ``MissingDependency``."""
    import_torchvision()
    if importlib.util.find_spec(library) is None:
        raise MissingDependency(
            f"{library} is needed for this architecture and is not installed", fix=f"pip install {library}"
        )


def _set_input_channels(module: torch.nn.Module, stem: str, channels: int) -> None:
    """Give the stem convolution as many input channels as the checkpoint's has."""
    layer: Any = module.get_submodule(stem)
    if layer.in_channels == channels:
        return
    weight = layer.weight
    layer.in_channels = channels
    shape = (weight.shape[0], channels // layer.groups, *weight.shape[2:])
    layer.weight = torch.nn.Parameter(torch.empty(shape, device=weight.device))


def user_constructor(arch: ArchitectureName, arguments: dict[str, Any]) -> Callable[[], torch.nn.Module]:
    """Builds ``FILE.py:CLASS`` or ``PACKAGE.MODULE:CLASS`` (or a function that returns a module)."""
    make_torchvision_importable()  # the user's module may import it
    module = _import_file(arch) if arch.place.endswith(".py") else _import_module(arch)
    target: Any = module
    for part in arch.name.split("."):
        target = getattr(target, part, None)
    if target is None or not callable(target):
        classes = sorted(
            name
            for name, value in vars(module).items()
            if isinstance(value, type) and issubclass(value, torch.nn.Module) and value.__module__ == module.__name__
        )
        raise ArchitectureUnknown(
            f"{arch.place} has no class {arch.name}; its torch.nn.Module classes are {', '.join(classes) or 'none'}",
            fix=_HOW,
        )
    return lambda: _constructed(arch, target, arguments)


def _constructed(arch: ArchitectureName, target: Callable[..., Any], arguments: dict[str, Any]) -> torch.nn.Module:
    try:
        module = target(**arguments)
    except Exception as error:  # the user's constructor may raise anything; it is theirs to read
        given = ", ".join(f"{name}={value!r}" for name, value in arguments.items()) or "no arguments"
        raise ArchitectureUnknown(
            f"{arch.text} could not be built with {given}: {type(error).__name__}: {error}",
            fix="give its constructor what it needs with --arch-args NAME=VALUE",
        ) from error
    if not isinstance(module, torch.nn.Module):
        raise ArchitectureUnknown(f"{arch.text} gives a {type(module).__name__}, expected a torch.nn.Module", fix=_HOW)
    return module


def _import_file(arch: ArchitectureName) -> ModuleType:
    path = Path(arch.place)
    if not path.is_file():
        raise ArchitectureUnknown(f"--arch {arch.text}: there is no file {path}", fix="check the path")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    _make_importable(path.resolve().parent)
    return _imported(arch, lambda: spec.loader.exec_module(module) or module)  # type: ignore[union-attr]


def _import_module(arch: ArchitectureName) -> ModuleType:
    _make_importable(Path.cwd())
    return _imported(arch, lambda: importlib.import_module(arch.place))


def _make_importable(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _imported(arch: ArchitectureName, load: Callable[[], ModuleType]) -> ModuleType:
    try:
        return load()
    except Exception as error:  # importing runs the user's code, which may raise anything
        raise ArchitectureUnknown(
            f"--arch {arch.text}: importing {arch.place} failed: {type(error).__name__}: {error}",
            fix=f"run where it can be imported, or mend it; {_HOW}",
        ) from error


def arguments_of(pairs: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """``--arch-args`` as keyword arguments: Python literals, and plain words as strings."""
    arguments: dict[str, Any] = {}
    for name, text in pairs:
        try:
            arguments[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            arguments[name] = text
    return arguments
