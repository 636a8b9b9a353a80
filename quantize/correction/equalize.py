"""Cross-layer equalisation: channels that share an activation's scale are made equally wide.

Data-Free Quantization Through Weight Equalization and Bias Correction (1906.04721), equations 6 to 11: with
f(s x) = s f(x), W2 f(W1 x + b1) = W2 S^-1 f(S W1 x + S b1). There S makes the weights' ranges equal, for one scale a
tensor. TFLite's weights have a scale for each channel that leaves, so what is left to equalise are activations: s is
by how much a channel is narrower than its tensor, to a power that leaves a part of the spread to the weights.

Behind a normalisation the same is SmoothQuant (2211.10438), equation 3: the normalisation's own factors take s up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from quantize.correction.channels import Channels
from quantize.correction.names import Correction
from quantize.correction.unpacked import Weighted

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

STRENGTH = 0.5
"""0 leaves all of the spread in the activations, 1 none."""
LARGEST = 16.0
"""A channel in which there is next to nothing gets no more room than this."""


_GROWTHS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)


@dataclass(frozen=True)
class Scaling:
    """``tensor``, a constant, times ``factors``, which broadcast against it."""

    tensor: int
    factors: Floats


@dataclass(frozen=True)
class ChannelExtremes:
    """The smallest and largest value of each channel of an activation, 0 among them; (channels,) each."""

    low: Floats
    high: Floats


def scalings(
    channels: Channels,
    seen: Mapping[int, ChannelExtremes],
    *,
    wanted: Collection[Correction],
    strength: float = STRENGTH,
) -> list[Scaling]:
    """The factors of every constant that changes, given what the activations' values were."""
    factors = _factors(channels, seen, strength)
    factors[~wanted_classes(channels, wanted)] = 1
    found = []
    for op in channels.weighted:
        found += _of_layer(channels, op, factors[channels.of(op.input)], factors[channels.of(op.output)])
    found += [Scaling(at, factors[channels.of(total)]) for at, total in channels.addends]
    for source, at, product in channels.multiplied:
        found.append(Scaling(at, factors[channels.of(product)] / factors[channels.of(source)]))
    return [each for each in found if (each.factors != 1).any()]


def wanted_classes(channels: Channels, wanted: Collection[Correction]) -> Flags:
    """The classes that these corrections scale: one that a constant is multiplied into is behind a normalisation."""
    behind = _classes(channels, [product for _, _, product in channels.multiplied])
    chosen = behind & (Correction.SMOOTH in wanted)
    chosen |= ~behind & (Correction.EQUALIZE in wanted)
    chosen |= ~behind & _classes(channels, channels.concatenated) & (Correction.CONCAT in wanted)
    chosen |= ~behind & _classes(channels, channels.summed) & (Correction.RESIDUAL in wanted)
    chosen[0] = False
    return chosen


def _classes(channels: Channels, tensors: Iterable[int]) -> Flags:
    found = np.zeros(channels.size, bool)
    for tensor in tensors:
        found[channels.of(tensor)] = True
    return found


def _factors(channels: Channels, seen: Mapping[int, ChannelExtremes], strength: float) -> Floats:
    """By class: what the tensor with the least room for it allows. Fixed channels have 1."""
    room = np.full(channels.size, np.inf)
    for tensor, each in seen.items():
        if channels.is_only_concatenated(tensor):
            continue
        np.minimum.at(room, channels.of(tensor), room_of(each))
    room[0] = 1.0
    room[~np.isfinite(room)] = 1.0
    factors: Floats = np.clip(room**strength, 1.0, LARGEST).astype(np.float32)
    return factors


def room_of(each: ChannelExtremes) -> Floats:
    """By how much each channel of a tensor can be widened within the range that leaves least noise: the shorter side
    of the tensor's own may grow, for a tail that all channels have (SiLU's, leaky ReLU's) would let none grow.
    """
    high, low = each.high.astype(np.float64), -each.low.astype(np.float64)
    top, bottom = high.max(initial=0), low.max(initial=0)
    shorter, longer = min(top, bottom), max(top, bottom)
    rooms = []
    for grown in [shorter * growth for growth in _GROWTHS if shorter * growth <= longer] or [shorter]:
        limits = (longer, grown) if top >= bottom else (grown, longer)
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.fmin(limits[0] / high, limits[1] / low)
        own[~np.isfinite(own)] = np.inf
        rooms.append(((longer + grown) ** 2 * float(np.mean(np.clip(own, 1, LARGEST) ** -2.0)), own))
    _, best = min(rooms, key=itemgetter(0))
    return np.asarray(best, np.float32)


def _of_layer(channels: Channels, op: Weighted, entering: Floats, leaving: Floats) -> list[Scaling]:
    shape = tuple(map(int, channels.graph.tensors[op.weights].shape))
    if op.kind == "DEPTHWISE_CONV_2D":
        weights = (leaving / np.repeat(entering, shape[-1] // len(entering))).reshape(1, 1, 1, -1)
    else:
        groups = len(entering) // shape[-1]
        inward = np.repeat(entering.reshape(groups, shape[-1]), shape[0] // groups, axis=0)
        weights = (leaving[:, None] / inward).reshape(shape[0], *(1,) * (len(shape) - 2), shape[-1])
    return [Scaling(op.weights, weights), *([Scaling(op.bias, leaving)] if op.bias >= 0 else [])]
