"""What a quantized op does wrong by itself: its error in multiples of what its own rounding explains.

The trusted model's ops run on the very values that the judged op was fed, rounded and clipped as that holds them. So
of the difference only the op's own rounding is left: that of its output, and of its weights. Weights are corrected in
many ways (GPTQ, AdaRound, bias correction) and are not the nearest steps to the float ones; what they make of the
inputs may be off by no more than independent roundings of half a step would be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from verify.errors import OpNotRunnable
from verify.localise.aligned import Aligned, OwnError
from verify.localise.axes import AxisMap, axis_maps, sqnr_of
from verify.localise.golden_run import GoldenRun
from verify.localise.graph import REARRANGING, Op
from verify.localise.naming import between
from verify.localise.recording import Recording, for_all
from verify.localise.steps import Steps, Values
from verify.localise.weight_noise import weight_noise

Real = npt.NDArray[np.float64]

_MOST_OPS = 12
"""Of the trusted model for one layer: what needs more is too far from it to say anything of its rounding."""

_OUTPUT_NOISE = 0.5
"""Root mean square, in steps of the output: half a step is all of it, for the kernels round once or twice."""

_MOVED_NOISE = 0.125
"""The same of an op that only moves values, and is exact."""

_MOVING = frozenset({
    "RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS", "REVERSE_V2", "BROADCAST_TO", "SLICE", "STRIDED_SLICE", "SPLIT",
    "SPLIT_V", "UNPACK", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE", "GATHER", "TILE",
})  # fmt: skip

_LOOKED_AT_AGAIN = 3.0
"""Multiples of the rounding: what exceeds them is computed once more by the runtime's plain kernels."""

_ERRORS_OF_A_MEAN = 2.0
"""Standard errors by which the whole model's mean error may be smaller than it is on the few samples."""

_CORRECTED_BIAS = 4.0
"""A shift of a layer with weights counts for so much less: corrected biases of sound files left up to 7 steps of it."""

_SMALLEST_SCALE = 0.01
"""Of a channel that was rescaled: what is smaller is gone."""

_FINEST = 1024
"""An output in float, or of 16 bits, is judged as if it had so many steps up to its largest value."""


@dataclass(frozen=True)
class _Sides:
    """The trusted model's steps and tensors, and the judged model's run on them."""

    steps: Steps
    trusted: Recording
    run: GoldenRun


def with_own_errors(run: GoldenRun, steps: Steps, trusted: Recording, places: Mapping[str, str]) -> list[Aligned]:
    """What is aligned and computed, in order, each with its error beyond rounding where that can be told.

    Of several ops in a row the first comes too, against the trusted op at its place. ``steps`` are the trusted model's,
    ``places`` lead from judged tensors to those of ops that stand at the same place.
    """
    sides = _Sides(steps, trusted, run)
    found: list[Aligned] = []
    for layer in sorted((each for each in run.aligned.values() if each.ops), key=lambda each: each.ops[-1].index):
        judged = replace(layer, own_error=_own_error(sides, layer))
        found += [*_first_of(sides, judged, places), judged]
    return found


def _first_of(sides: _Sides, layer: Aligned, places: Mapping[str, str]) -> list[Aligned]:
    """The first op of several, held against its counterpart in whatever order of axes speaks for it most."""
    feeds = _held_inputs(sides, layer) if len(layer.ops) > 1 else None
    if feeds is None:
        return []
    found = _first_counterpart(sides, layer, feeds, places)
    if found is None:
        return []
    op, trusted, computed = found
    ops = sides.run.segment(op.outputs[0])
    trials = []
    for axes in axis_maps(sides.trusted.tensors[trusted].shape[1:], computed.shape[1:]):
        trial = Aligned(op.outputs[0], trusted, axes, "structure", ops)
        trials.append(replace(trial, own_error=_own_error(sides, trial, rescaled=True)))
    told = [(each.own_error.multiple, at) for at, each in enumerate(trials) if each.own_error is not None]
    if not told:
        return []
    best = trials[min(told)[1]]
    golden, real = sides.run.golden(best), sides.run.steps.real(best.tensor, computed)
    return [replace(best, local_sqnr_db=sqnr_of(golden, real))]


def _first_counterpart(
    sides: _Sides, layer: Aligned, feeds: Mapping[str, Values], places: Mapping[str, str]
) -> tuple[Op, str, Values] | None:
    """The first op that the trusted model has too, its tensor there, and what the judged op gave.

    By place; or by order, where both models have as many ops there that compute.
    """
    theirs = [each for each in between(sides.trusted.graph, feeds, layer.trusted) if each.kind not in REARRANGING]
    ours = [each for each in layer.ops if each.kind not in REARRANGING]
    for at, op in enumerate(ours[:-1]):
        tensor = op.outputs[0]
        trusted = places.get(tensor) or (theirs[at].outputs[0] if len(ours) == len(theirs) else None)
        computed = sides.run.computed(tensor)
        if trusted in sides.trusted.dtypes and trusted is not None:
            return None if computed is None else (op, trusted, computed)
    return None


def _own_error(sides: _Sides, layer: Aligned, *, rescaled: bool = False) -> OwnError | None:
    """``rescaled`` channels may each have another positive scale, as equalised ones have inside a stretch."""
    computed = sides.run.computed(layer.tensor)
    if computed is None:
        return None
    given = sides.run.steps.real(layer.tensor, computed)
    if given.dtype.kind != "f" or given.ndim < 2 or not given.size:
        return None
    wanted = _wanted(sides, layer)
    noise = None if wanted is None else _noise(sides.run, layer, wanted)
    if wanted is None or noise is None:
        return None
    if wanted.shape != given.shape or not np.isfinite(given).all():
        return OwnError(float("inf"), 0, None)
    found = _worst(sides, layer, given, wanted, noise)
    if rescaled:
        scaled = _worst(sides, layer, given, _rescaled(wanted, given), noise)
        found = min(found, scaled, key=lambda each: each.multiple)
    if found.multiple > _LOOKED_AT_AGAIN:
        plain = _by_plain_kernels(sides.run, layer)
        if plain is not None and plain.shape == wanted.shape:
            found = min(found, _worst(sides, layer, plain, wanted, noise), key=lambda each: each.multiple)
    return found


def _worst(sides: _Sides, layer: Aligned, given: Values, wanted: Values, noise: Real) -> OwnError:
    error = (given.astype(np.float64) - sides.run.held(layer.tensor, wanted)).reshape(-1, given.shape[-1])
    rms = _rms(error, _shift_that_stays(sides, layer, error))
    multiples = rms / noise
    worst = int(multiples.argmax())
    scale = sides.run.steps.levels(layer.tensor)
    return OwnError(float(multiples[worst]), worst, None if scale is None else float(rms[worst] / scale[0]))


def _by_plain_kernels(run: GoldenRun, layer: Aligned) -> Values | None:
    """The tensor by the runtime's plain kernels: what a fast one alone has wrong is no fault of the file.

    XNNPACK's int8 BATCH_MATMUL of two computed tensors was up to 10 steps off in its mean (ai-edge-litert 2.1.0).
    """
    values: dict[str, Values] = {}
    for op in layer.ops:
        fed = {each: values[each] if each in values else run.value(each) for each in op.inputs}
        if any(value is None for value in fed.values()):
            return None
        try:
            values.update(run.steps.run_plainly(op, {name: value for name, value in fed.items() if value is not None}))
        except OpNotRunnable:
            return None
    return run.steps.real(layer.tensor, values[layer.tensor]) if layer.tensor in values else None


def _rescaled(wanted: Values, given: Values) -> Values:
    """Each channel by the factor that brings it nearest to what was given."""
    axes = tuple(range(wanted.ndim - 1))
    real = wanted.astype(np.float64)
    energy = np.square(real).sum(axis=axes)
    factor = (real * given).sum(axis=axes) / np.where(energy > 0, energy, 1.0)
    scaled: Values = (real * np.where(factor > _SMALLEST_SCALE, factor, 1.0)).astype(wanted.dtype)
    return scaled


def _rms(error: Real, shift: Real) -> Real:
    """Of each channel, with another shift than its own."""
    spread: Real = np.sqrt(np.square(error - error.mean(axis=0)).mean(axis=0) + np.square(shift))
    return spread


def _shift_that_stays(sides: _Sides, layer: Aligned, error: Real) -> Real:
    """The mean error of each channel, as far as it is there too when the whole model runs.

    A corrected bias makes up for errors of the layers before it: alone the layer is off by what it corrects.
    """
    alone: Real = error.mean(axis=0)
    if not any(op.weighted for op in layer.ops) or layer.tensor not in sides.run.own.dtypes:
        return alone
    real = sides.run.own.tensors[layer.tensor].astype(np.float64)
    golden = sides.run.held(layer.tensor, sides.run.golden(layer))
    if real.shape != golden.shape:
        return alone
    by_sample = (real - golden).reshape(len(real), -1, error.shape[1]).mean(axis=1)
    within = by_sample.mean(axis=0)
    unsure = _ERRORS_OF_A_MEAN * by_sample.std(axis=0, ddof=1) / np.sqrt(len(real)) if len(real) > 1 else np.inf
    same_way = np.sign(within) == np.sign(alone)
    sure: Real = np.maximum(np.abs(within) - unsure, 0.0)
    stays: Real = np.where(same_way, np.minimum(sure, np.abs(alone)), 0.0)
    return stays / _CORRECTED_BIAS


def _wanted(sides: _Sides, layer: Aligned) -> Values | None:
    """What the trusted model makes of the values that the judged op holds, in the judged order of axes."""
    feeds = _held_inputs(sides, layer)
    if feeds is None:
        return None
    if layer.trusted in feeds:
        return _judged(layer, feeds[layer.trusted])
    stretch = between(sides.trusted.graph, feeds, layer.trusted)
    if not stretch or len(stretch) > _MOST_OPS or not any(set(feeds) & set(op.inputs) for op in stretch):
        return None
    try:
        return _judged(layer, _run(sides, stretch, feeds)[layer.trusted])
    except (OpNotRunnable, KeyError, ValueError):  # ValueError: of another size than the samples are
        return None


def _judged(layer: Aligned, trusted: Values) -> Values:
    real = layer.axes.judged(trusted)
    return real if layer.scales is None else np.asarray(real * layer.scales)


def _held_inputs(sides: _Sides, layer: Aligned) -> dict[str, Values] | None:
    """The trusted tensors that the op reads, as the judged model holds them."""
    run = sides.run
    feeds: dict[str, Values] = {}
    for tensor in dict.fromkeys(each for op in layer.ops for each in op.inputs if each in run.aligned):
        aligned, stored = run.aligned[tensor], run.value(tensor)
        wanted = sides.trusted.tensors[aligned.trusted]
        if stored is None or wanted.dtype.kind != "f":
            continue
        real = run.steps.real(tensor, stored)
        if aligned.trusted in feeds or real.size != wanted.size:
            return None
        real = real if aligned.scales is None else real / aligned.scales
        feeds[aligned.trusted] = _trusted(aligned.axes, real, wanted.shape).astype(wanted.dtype)
    return feeds or None


def _run(sides: _Sides, stretch: tuple[Op, ...], feeds: Mapping[str, Values]) -> dict[str, Values]:
    values = dict(feeds)
    count = max(map(len, feeds.values()))
    for op in stretch:
        fed = {each: values[each] if each in values else np.asarray(sides.trusted.tensors[each]) for each in op.inputs}
        values.update({name: for_all(found, count) for name, found in sides.steps.run(op, fed).items()})
    return values


def _trusted(axes: AxisMap, judged: Values, shape: tuple[int, ...]) -> Values:
    """The judged model's values in the trusted model's order of axes: :meth:`AxisMap.judged` the other way."""
    count = len(judged)
    if axes.merged:
        moved = judged.reshape(count, *axes.split).transpose(0, *(axis + 1 for axis in axes.order))
    else:
        back = tuple(int(axis) + 1 for axis in np.argsort(axes.order))
        moved = judged.reshape(count, *(axes.split[axis] for axis in axes.order)).transpose(0, *back)
    return np.ascontiguousarray(moved).reshape(shape)


def _noise(run: GoldenRun, layer: Aligned, wanted: Values) -> Real | None:
    """Of each channel, root mean square; ``None`` where it is not known: of int8 weights with the rest in float."""
    scale = run.steps.levels(layer.tensor)
    channels = wanted.shape[-1] if wanted.ndim else 1
    step = max(0.0 if scale is None else scale[0], float(np.abs(wanted).max(initial=0.0)) / _FINEST)
    scaled = layer.scales is not None  # as well as it could be told from rounded values
    moved = not scaled and all(op.kind in _MOVING for op in layer.ops)
    total = np.full(channels, np.square((_MOVED_NOISE if moved else _OUTPUT_NOISE) * step) * len(layer.ops))
    for op in layer.ops:
        noise = weight_noise(run, op, channels)
        if noise is not None:
            if scale is None:
                return None
            total += np.square(noise)
    return np.sqrt(total) if total.all() else None
