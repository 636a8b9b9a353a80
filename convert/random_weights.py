"""Random weights that behave like trained ones as far as numbers go. Imports torch.

A net as it comes from its constructor is no test of a conversion: batch norms divide by the wrong numbers, so that
outputs vanish (1e-9) or overflow; heads and residual branches that start at zero hide everything before them. Here
zeros are filled, vanishing scales are set to 0.1, and batch norms learn their statistics from a few inputs.

Batch norm also makes a deep random net chaotic: every ReLU and batch norm together add 1.2 to 1.7 dB to a difference
between two inputs (Yang et al., 2019, https://arxiv.org/abs/1902.08129), rounding included. FCN's ResNet50 had 85 dB
between float32 and float64 in PyTorch itself, HaloNet 4. Trained nets have 100 to 140, as have these once a residual
branch adds a tenth to its skip: 107 and 112.

Those inputs are seeded noise, and not calibration samples: the checkpoint then depends on its architecture and seed
alone, and other samples change the int8 file only. Pictures are smooth noise, mostly grey, whose power falls with
frequency as that of photographs does (Field, 1987, https://doi.org/10.1364/JOSAA.4.002379).
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from convert.residual_branches import last_norms
from convert.stages.export import ExportOnnx
from verify.checkpoint import open_model
from verify.checkpoint.architectures import arguments_of, indexed, library_constructor, parse_arch
from verify.errors import ArchitectureUnknown, ToolError
from verify.samples import InputSpec, RandomSamples
from verify.samples.load import load

MOST_SAMPLES = 16
LEAST_SAMPLES = 8
_POSITIONS = MOST_SAMPLES * 224 * 224
"""Pixels a channel, over all samples, while there are ``LEAST_SAMPLES``: larger pictures tell more each."""
_FILLED_STD = 0.02
_LEAST_SCALE = 1e-3
_SCALE = 0.1
_PICTURE_RANK = 4
_ALIKE = 0.85
"""Share of a picture's power that is the same in all channels. With channels of their own, a RegNetY met a photograph
whose outputs were 45 times the others', and float32's noise on it 73 times the floor that three samples had shown."""


def write_random_checkpoint(options: ExportOnnx, seed: int, target: Path) -> Path:
    """Random weights of the architecture that ``options.arch`` names in a library, drawn by the seed, at ``target``.

    The same options, seed and name of the file give the same bytes: it runs on one thread, for how many a machine has
    shows in the last bits. Raises ``ArchitectureUnknown`` for an architecture or arguments that the library refuses.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as drafts:
            draft = save_state(_constructed(options, seed), Path(drafts) / target.name)
            opened = open_model(options.source(draft))  # as a conversion will: its inputs, without auxiliary heads
            damp_residual_branches(opened.module, opened.description.inputs, seed)
            settle_batch_norm(opened.module, opened.description.inputs, seed)
            net = opened.detector or opened.module
            return save_state(net, target)  # not over the draft, which the module's weights map
    finally:
        torch.set_num_threads(threads)


def save_state(net: torch.nn.Module, target: Path) -> Path:
    """A module's weights as ``torch.save`` writes them. The archive holds the file's stem: one name, one content."""
    torch.save(net.state_dict(), target)
    return target


def _constructed(options: ExportOnnx, seed: int) -> torch.nn.Module:
    arch = parse_arch(options.arch or "")
    entry = indexed(arch)[0]
    arguments = arguments_of(options.arch_args)
    torch.manual_seed(seed)
    try:
        net = library_constructor(entry, {**dict(entry.options), **arguments})(None)
    except ToolError:
        raise
    except Exception as error:  # a library's constructor may raise anything about arguments it does not know
        raise ArchitectureUnknown(
            f"{arch.text} could not be built with {arguments or 'no arguments'}: {type(error).__name__}: {error}",
            fix="check its arguments",
        ) from error
    fill_zeros(net)
    return net


def fill_zeros(net: torch.nn.Module) -> None:
    """Give what starts at zero, or next to it, values that matter.

    1. The scale of a normalisation layer that is zero (the last of a residual branch) becomes 0.1.
    2. Zero matrices (ViT's head, position tables) are drawn from a normal distribution of deviation 0.02.
    3. Any other zero that is no bias (a skip's gain), and constants below 0.001 (ConvNeXt's layer scale), become 0.1.
    """
    norms = {id(module.weight) for module in net.modules() if _is_norm(module) and module.weight is not None}
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            zero = not parameter.any()
            if id(parameter) in norms:
                parameter.fill_(_SCALE) if zero else None
            elif parameter.dim() > 1 and zero:
                torch.nn.init.normal_(parameter, std=_FILLED_STD)
            elif not name.endswith("bias") and _vanishes(parameter):
                parameter.fill_(_SCALE)


def _is_norm(module: torch.nn.Module) -> bool:
    return "norm" in type(module).__name__.lower() and hasattr(module, "weight")


def _vanishes(parameter: torch.Tensor) -> bool:
    first = parameter.flatten()[0]
    return bool(first.abs() < _LEAST_SCALE and (parameter == first).all())


def damp_residual_branches(net: torch.nn.Module, inputs: tuple[InputSpec, ...], seed: int) -> None:
    """The scale of a batch norm at the end of a residual branch becomes 0.1."""
    if not _batch_norms(net):
        return
    sample = [tensor[:1] for tensor in noise_batch(inputs, seed)]
    with torch.no_grad():
        for norm in last_norms(net, sample):
            if norm.affine:
                norm.weight.fill_(_SCALE)


def settle_batch_norm(net: torch.nn.Module, inputs: tuple[InputSpec, ...], seed: int) -> None:
    """Replace the running statistics of every batch norm by those of one batch; all else stays in eval mode.

    One batch, for each batch loses its own mean: of four samples it hid a quarter of what they differ by, at each norm
    of HaloNet anew, and its outputs came to 400 times what they were settled to.
    """
    norms = [norm for norm in _batch_norms(net) if norm.track_running_stats]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    with torch.no_grad():
        net(*noise_batch(inputs, seed))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def _batch_norms(net: torch.nn.Module) -> list[_BatchNorm]:
    return [module for module in net.modules() if isinstance(module, _BatchNorm)]


def noise_batch(inputs: tuple[InputSpec, ...], seed: int, count: int | None = None) -> tuple[torch.Tensor, ...]:
    """Random samples, fewer of large ones if not told; those of float inputs with height and width are smooth."""
    generator = torch.Generator().manual_seed(seed)
    samples = load(RandomSamples(seed), inputs)
    drawn = [next(samples) for _ in range(count or _sample_count(inputs))]
    batch = {spec.name: torch.cat([torch.from_numpy(each[spec.name]) for each in drawn]) for spec in inputs}
    return tuple(_smoothed(spec, batch[spec.name], generator) for spec in inputs)


def _sample_count(inputs: tuple[InputSpec, ...]) -> int:
    sizes = [math.prod(dim for dim in spec.shape[2:] if isinstance(dim, int)) for spec in inputs]
    return min(MOST_SAMPLES, max(LEAST_SAMPLES, round(_POSITIONS / max(sizes))))


def _smoothed(spec: InputSpec, white: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Noise of the same shape with amplitude 1/frequency, each picture with a contrast and a mean of its own."""
    if white.dim() < _PICTURE_RANK or not white.is_floating_point() or spec.low is not None:
        return white
    height, width = white.shape[-2:]
    down, across = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    frequency = (down.square() + across.square()).sqrt().clamp(min=1 / max(height, width))
    alike = math.sqrt(_ALIKE) * white.mean(dim=1, keepdim=True) * math.sqrt(white.shape[1])
    mixed = alike + math.sqrt(1 - _ALIKE) * white
    smooth = torch.fft.irfft2(torch.fft.rfft2(mixed) / frequency, s=(height, width))
    axes = tuple(range(1, white.dim()))
    smooth = smooth / smooth.std(dim=axes, keepdim=True)
    each = (len(white), *([1] * len(axes)))
    contrast = 0.5 + torch.rand(each, generator=generator)
    mean = 0.5 * torch.randn(each, generator=generator)
    return torch.addcmul(mean, smooth, contrast)
