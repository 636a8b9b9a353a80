"""Checkpoints of torchvision's and timm's architectures by name: published weights, or random ones.

Jobs for a torch worker: what is here imports torch when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from convert.stages.export import ExportOnnx
from convert.zoo.job import Source, SourceKind
from convert.zoo.sources.errors import SourceMissing, SourceUnavailable
from convert.zoo.sources.key import RANDOM
from verify.errors import ToolError

DEFAULT = "DEFAULT"
"""What both libraries call the weights they recommend."""


def make_checkpoint(source: Source, folder: Path) -> Path:
    """Job: a checkpoint of the architecture in ``folder``, called after it; the same source gives the same bytes.

    Published weights of torchvision keep the file and the name that torchvision publishes.

    Raises:
        ArchitectureUnknown: the library has none of that name, or not with these arguments.
        SourceMissing: it has no weights of that name.
        SourceUnavailable: they cannot be downloaded.
    """
    if source.weights == RANDOM:
        return _random(source, folder)
    if source.kind is SourceKind.TORCHVISION:
        return _published_by_torchvision(source, folder)
    return _published_by_timm(source, folder)


def _random(source: Source, folder: Path) -> Path:
    from convert.random_weights import write_random_checkpoint

    options = ExportOnnx(arch=architecture_of(source), arch_args=source.arch_args, inputs=source.inputs)
    return write_random_checkpoint(options, source.seed, folder / f"{source.location}.pth")


def _published_by_torchvision(source: Source, folder: Path) -> Path:
    import torch

    from verify.checkpoint.torchvision_catalogue import hash_in_name
    from verify.checkpoint.torchvision_shim import import_torchvision

    _require_architecture(source)
    known = import_torchvision().models.get_model_weights(source.location)
    if source.weights not in known.__members__:
        raise SourceMissing(
            f"torchvision has no weights {source.weights!r} for {source.location}",
            fix=f"use one of {', '.join(known.__members__)}, or {RANDOM}",
        )
    url = str(known[source.weights].url)
    target = folder / url.rpartition("/")[2]
    _downloaded(
        source,
        lambda: torch.hub.download_url_to_file(
            url, str(target), hash_prefix=hash_in_name(target.name) or None, progress=False
        ),
    )
    return target


def _published_by_timm(source: Source, folder: Path) -> Path:
    import torch

    from convert.random_weights import save_state
    from verify.checkpoint.architectures import arguments_of

    _require_architecture(source)
    import timm

    name = source.location if source.weights == DEFAULT else f"{source.location.partition('.')[0]}.{source.weights}"
    if not timm.is_model_pretrained(name):
        tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{source.location.partition('.')[0]}.*")]
        choice = ", ".join([*tags, RANDOM])
        raise SourceMissing(f"timm has no published weights {name}", fix=f"set weights to one of {choice}")
    torch.manual_seed(source.seed)  # for a head of another size, which nobody publishes
    arguments = arguments_of(source.arch_args)
    net = _downloaded(source, lambda: timm.create_model(name, pretrained=True, **arguments))
    return save_state(net, folder / f"{source.location}.pth")


def _require_architecture(source: Source) -> None:
    from verify.checkpoint.architectures import indexed, parse_arch, require_library

    require_library(source.kind.value)
    indexed(parse_arch(architecture_of(source)))


def architecture_of(source: Source) -> str:
    """The architecture as ``--arch`` takes it: without the tag that timm's names of weights have."""
    return f"{source.kind.value}:{source.location.partition('.')[0]}"


def _downloaded(source: Source, download: Callable[[], Any]) -> Any:
    try:
        return download()
    except ToolError:
        raise
    except Exception as error:  # of urllib, of huggingface_hub's several clients, of a hash that is wrong
        raise SourceUnavailable(
            f"the published weights {source.weights} of {source.kind.value}:{source.location} cannot be had: "
            f"{type(error).__name__}: {error}",
            fix=f'check the network; without one, give a file as the source, or weights = "{RANDOM}"',
        ) from error
