"""Inputs distilled from batch-norm statistics, to calibrate on where there is no data. Imports torch.

Smooth noise is moved, by Adam, until what enters each batch norm has the mean and the variance that it had in training:
2001.00281, equation 3. What follows the last batch norm is not held by any: noise leaves a classifier undecided, its
scores in half the range that real ones take, and an int8 file calibrated so clips them. So each input is moved towards
a class as well: 1912.08795, equations 1 and 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from convert.random_weights import noise_batch
from convert.synthetic.job import Distilled
from convert.synthetic.moved import MovedInput
from convert.synthetic.statistics import StatisticsDistance, batch_norms
from verify.checkpoint.opened import ModuleKind, OpenedModel
from verify.errors import SamplesInvalid
from verify.runners.flatten import flatten_outputs

GROUP = 8
"""Inputs whose statistics are taken together."""
FEWEST_GROUPS = 2
FEWEST_STEPS, MOST_STEPS = 8, 60
MOST_SECONDS = 25.0
"""On two cores, by a reckoning that no clock enters: the same inputs come out on every machine."""
_SECONDS_A_NUMBER = 1.2e-8
_SECONDS_A_FLOP = 2.1e-11
"""On one core, forward and backward, for each number that enters a batch norm and each operation of a forward pass."""
_AT_ONCE = 2
"""Groups, each on one thread: how many work on one shows in the last bits, and they wait long where cores are busy."""

TEMPERATURE = 3.0
"""Scores are divided by it before they are compared with classes: real ones differ by more than decides."""
LEAST_SPREAD = 1.2
"""Deviation of noise's scores, at least, of a head that has learnt to decide; with random weights it is 0.1 to 0.9, and
its scores, moved towards classes, come to three times what real inputs give."""

Tensors = tuple[torch.Tensor, ...]


def distil(opened: OpenedModel, seed: int, most: int, target: Path) -> Distilled:
    """As :func:`convert.synthetic.job.distil_inputs`, of a model that is open."""
    distance = StatisticsDistance(_visible_norms(opened))
    net, inputs = opened.module.requires_grad_(False), opened.description.inputs
    noise = noise_batch(inputs, seed, most)
    if not any(tensor.is_floating_point() for tensor in noise):
        raise _cannot("its inputs are whole numbers, which cannot be moved little by little")
    groups = [
        [MovedInput(spec, part[at : at + GROUP]) for spec, part in zip(inputs, noise, strict=True)]
        for at in range(0, most, GROUP)
    ]
    with _one_thread(), distance.watching(), ThreadPoolExecutor(_AT_ONCE) as pool:
        number, steps = _affordable(net, groups[0], distance, len(groups))
        seeds = range(seed, seed + number)
        ends = list(pool.map(lambda group, own: _descend(net, group, distance, steps, own), groups[:number], seeds))
    arrays = [np.concatenate(each) for each in zip(*(end.samples for end in ends), strict=True)]
    np.savez(target, **dict(zip((spec.name for spec in inputs), arrays, strict=True)))
    first, last = (float(np.mean(each)) for each in zip(*((end.first, end.last) for end in ends), strict=True))
    return Distilled(target, len(arrays[0]), steps, first, last)


def _visible_norms(opened: OpenedModel) -> list[torch.nn.Module]:
    architecture = opened.description.architecture
    if opened.kind is not ModuleKind.EAGER:
        raise _cannot(f"{architecture} does not show its own", "give the state_dict and --arch; or ")
    norms = batch_norms(opened.module)
    if not norms:
        raise _cannot(f"{architecture} has none that has learnt anything")
    return norms


def _cannot(reason: str, first: str = "") -> SamplesInvalid:
    return SamplesInvalid(
        f"--calib synthetic distils inputs from the statistics of batch norms: {reason}",
        fix=f"{first}give samples of your own with --calib; to measure speed only, quantize the float32 file with "
        "--default-ranges -1,1",
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _affordable(
    net: torch.nn.Module, group: Sequence[MovedInput], distance: StatisticsDistance, groups: int
) -> tuple[int, int]:
    """How many groups and how many steps the time allows, reckoned from one forward pass.

    Raises ``SamplesInvalid`` if no batch norm took part in it.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        net(*(each.value() for each in group))
    if not distance.elements:
        raise _cannot("those of this model take no part in its result")
    distance.take()
    seconds = distance.elements * _SECONDS_A_NUMBER + counter.get_total_flops() * _SECONDS_A_FLOP
    possible = int(MOST_SECONDS * _AT_ONCE / seconds)
    number = min(max(possible // FEWEST_STEPS, FEWEST_GROUPS), groups)
    return number, min(max(possible // number, FEWEST_STEPS), MOST_STEPS)


@dataclass(frozen=True)
class _End:
    samples: tuple[npt.NDArray[np.generic], ...]
    first: float
    last: float


def _descend(
    net: torch.nn.Module, group: Sequence[MovedInput], distance: StatisticsDistance, steps: int, seed: int
) -> _End:
    """Adam on the inputs; its rates fall to 0 as a cosine does."""
    adam = torch.optim.Adam([part for each in group for part in each.parameters()])
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    found: list[float] = []
    classes: torch.Tensor | None = None
    for _ in range(steps):
        adam.zero_grad()
        given = flatten_outputs(net(*(each.value() for each in group)))[0][1]
        apart = distance.take()
        classes = classes if found else _classes(given, seed)
        found.append(float(apart.detach()))
        loss = apart if classes is None else apart + cross_entropy(given / TEMPERATURE, classes)
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        falling.step()
    with torch.no_grad():
        return _End(tuple(each.value().numpy() for each in group), found[0], found[-1])


def _classes(scores: torch.Tensor, seed: int) -> torch.Tensor | None:
    """A class to move each input towards, drawn by the seed; none where the output is no row of scores that decide."""
    if scores.dim() != 2 or scores.shape[1] < 2 or float(scores.detach().std(dim=1).mean()) < LEAST_SPREAD:
        return None
    return torch.randint(0, scores.shape[1], scores.shape[:1], generator=torch.Generator().manual_seed(seed))
