"""Float and int8 file op by op on the same samples: how far apart they are after each op, and what the op itself adds.

Where only an activation function reads a tensor, errors are counted after it: what hard-swish gives 0 for anyway need
not be told apart, and of a variance counts what is divided by its root.

Both keep a tensor only until its last reader has run, so that memory holds a few tensors of a few samples.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quantize.anatomy.counterparts import CASTS, counterparts, makers
from quantize.anatomy.stored import Storage, Values, is_activation, storage_of
from quantize.calibration.effects import Effect, effects
from quantize.correction.stepped_model import SteppedModel
from verify.metrics import ErrorSums, error_sums
from verify.report.anatomy import IDENTICAL_DB, ActivationRange
from verify.runners.base import Batch
from verify.runners.tflite_file import tflite_signature
from verify.stepping.contents import name_of, name_of_op
from verify.stepping.part import run_op, single_op

LOW_DB = 34.0
"""An op that loses as much by itself is looked at closer."""


@dataclass(frozen=True)
class Step:
    """What was measured of one op of the int8 file, or (``operator`` is ``None``) of an input that it stores.

    ``tensor`` is the float file's; ``entering`` are the float tensors of what it takes.
    """

    operator: int | None
    tensor: int
    entering: tuple[int, ...]
    sqnr_db: float | None
    local_sqnr_db: float | None
    storage_sqnr_db: float | None
    activation: ActivationRange | None
    inputs_sqnr_db: float | None = None
    """What rounding what it takes costs the float op; only where the op by itself loses much."""
    effect: Effect = Effect.IDENTITY
    """What its readers make of its result."""
    corrected: bool = False
    """Whether its weights or bias were fitted to what enters it in the int8 file."""


class SideBySide:
    """``samples`` are as the float file takes them; ``corrected`` names weights and biases that were fitted."""

    def __init__(
        self, model: Path, int8: Path, samples: Sequence[Batch], corrected: Collection[str] = frozenset()
    ) -> None:
        signature = tflite_signature(int8, {})
        stored = [{spec.name: spec.from_torch(each[spec.name]) for spec in signature.inputs} for each in samples]
        self._given: dict[int, list[Values]] = {}
        self.exact = SteppedModel(model, samples, self._given.__setitem__)
        self._stored_given: dict[int, list[Values]] = {}
        self.stored = SteppedModel(int8, stored, self._stored_given.__setitem__)
        self.counterparts = counterparts(self.exact, self.stored)
        self._corrected = corrected
        self._makers = makers(self.exact)
        self._effects = effects(model)
        self._outputs: dict[int, list[Values]] = {}

    def steps(self) -> Iterator[Step]:
        """In the order of the int8 file; raises ``OpNotRunnable`` where an op does not run by itself."""
        for at in map(int, self.stored.graph.inputs):
            storage = storage_of(self.stored.graph.tensors[at])
            if storage is not None and at in self.counterparts:
                real = self.exact.stepper.values(self.counterparts[at])
                effect = self._effects.get(self.counterparts[at], Effect.IDENTITY)
                found = _sqnr(real, [storage.real(storage.store(each)) for each in real], effect)
                yield Step(None, self.counterparts[at], (), found, found, found, storage.range_of(real, effect))
        for number, operator in enumerate(self.stored.graph.operators):
            tensors = [int(at) for at in operator.outputs]
            if name_of_op(self.stored.model, operator) == "DEQUANTIZE" or not self._is_real(tensors[0]):
                self._run_stored(number)
            else:
                yield self._step(number, tensors[0])

    def _is_real(self, tensor: int) -> bool:
        from ai_edge_litert.schema_py_generated import TensorType

        other = self.counterparts.get(tensor)
        return other is not None and self.exact.graph.tensors[other].type == TensorType.FLOAT32

    def _step(self, number: int, tensor: int) -> Step:
        operator, other = self.stored.graph.operators[number], self.counterparts[tensor]
        storage, effect = storage_of(self.stored.graph.tensors[tensor]), self._effects.get(other, Effect.IDENTITY)
        cast = name_of_op(self.stored.model, operator) in CASTS
        if not cast:
            self.exact.stepper.run_until(self._makers[other])
        entering = _reads(self.stored, operator)
        fed = self._as_stored(entering)
        if not cast:
            self._run_exact(self._makers[other])
        real = self._value(other)
        own = self._run_stored(number).get(tensor)
        alone = _alone(self.stored, operator, fed) if fed else None
        local = None if real is None or alone is None else _sqnr(real, _real(storage, alone), effect)
        return Step(
            number,
            other,
            tuple(self.counterparts[at] for at in entering if at in self.counterparts),
            None if real is None or own is None else _sqnr(real, _real(storage, own), effect),
            local,
            None if real is None else _sqnr(real, _real(storage, [_stored(storage, each) for each in real]), effect),
            None if real is None or storage is None else storage.range_of(real, effect),
            None if cast or not fed or not real or not _is_low(local) else self._of_inputs(other, fed, real, effect),
            effect,
            any(name_of(self.stored.graph.tensors[at]) in self._corrected for at in operator.inputs if at >= 0),
        )

    def _of_inputs(
        self, tensor: int, fed: dict[int, list[Values]], real: Sequence[Values], effect: Effect
    ) -> float | None:
        """SQNR of the float op fed what the int8 op takes."""
        number = self._makers[tensor]
        rounded = {
            self.counterparts[at]: _real(storage_of(self.stored.graph.tensors[at]), arrays)
            for at, arrays in fed.items()
        }
        inputs = self.exact.graph.operators[number].inputs
        taken = {int(at) for at in inputs if int(at) in self._makers or int(at) in self.exact.graph.inputs}
        if taken != set(rounded):
            return None
        return _sqnr(real, _alone(self.exact, self.exact.graph.operators[number], rounded), effect)

    def _run_exact(self, number: int) -> None:
        """One op of the float file; what the file gives at its end is kept, for nothing else holds it."""
        self._given.clear()
        self.exact.stepper.run_until(number + 1)
        wanted = set(map(int, self.exact.graph.outputs))
        self._outputs |= {at: arrays for at, arrays in self._given.items() if at in wanted}

    def _run_stored(self, number: int) -> dict[int, list[Values]]:
        self._stored_given.clear()
        self.stored.stepper.run_until(number + 1)
        return self._stored_given

    def _value(self, tensor: int) -> list[Values] | None:
        """What the float file holds there, if it still does."""
        held = self._given.get(tensor) or self._outputs.get(tensor)
        return held or _held(self.exact, tensor)

    def _as_stored(self, tensors: Sequence[int]) -> dict[int, list[Values]] | None:
        """What the float file holds, as the int8 file stores it; ``None`` if some is not held any more."""
        found: dict[int, list[Values]] = {}
        for at in tensors:
            real = self._value(self.counterparts[at]) if at in self.counterparts else None
            if real is None:
                return None
            found[at] = [_stored(storage_of(self.stored.graph.tensors[at]), each) for each in real]
        return found


def _held(model: SteppedModel, tensor: int) -> list[Values] | None:
    """``None`` before the op that gives it has run, and after its last reader has."""
    try:
        return model.stepper.values(tensor)
    except KeyError:
        return None


def _reads(model: SteppedModel, operator: Any) -> list[int]:
    """What an op takes that is no constant, once each; before it has run."""
    return [at for at in dict.fromkeys(map(int, operator.inputs)) if _held(model, at) is not None]


def _alone(model: SteppedModel, operator: Any, inputs: Mapping[int, list[Values]]) -> list[Values]:
    """What an op gives first for other inputs; nothing that has run changes."""
    found = run_op(single_op(model.model, model.graph, operator, list(inputs)), list(inputs.values()))
    return [first for first, *_ in found]


def _is_low(sqnr_db: float | None) -> bool:
    return sqnr_db is not None and sqnr_db < LOW_DB


def _stored(storage: Storage | None, real: Values) -> Values:
    return real if storage is None else storage.store(real)


def _real(storage: Storage | None, stored: Sequence[Values]) -> list[Any]:
    return [each if storage is None else storage.real(each) for each in stored]


def _sqnr(expected: Sequence[Values], actual: Sequence[Values], effect: Effect) -> float | None:
    """Of all samples as one, padding left out; ``None`` where there is nothing, or the int8 file gives no number."""
    sums = ErrorSums()
    for one, other in zip(expected, actual, strict=True):
        if one.shape != other.shape:
            return None
        counted = is_activation(one)
        pair = (one, other) if counted.all() else (one[counted], other[counted])
        sums += error_sums(*(_as_taken(each, effect) for each in pair))
    if not np.isfinite(sums.error_energy):
        return None
    if sums.sqnr_db is None:
        return IDENTICAL_DB if sums.error_energy == 0 and sums.count else None
    return min(sums.sqnr_db, IDENTICAL_DB)


def _as_taken(values: Values, effect: Effect) -> Values:
    """What the tensor's readers come to: of a variance, what they multiply by."""
    if effect is Effect.IDENTITY:
        return values
    if effect is Effect.NORMALISER:
        scaled: Values = np.exp(-effect.values(values))
        return scaled
    return effect.values(values)
