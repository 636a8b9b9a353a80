"""Faults in what ``signature.json`` declares: a layout, a scale or a zero point that the file does not have."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from verify.faults.fault import Fault, NotApplicable, Subject, pick
from verify.signature import Quantization, Signature, TensorSpec

_UNDECLARED = "there is no signature.json beside it"


@dataclass(frozen=True)
class LayoutLie:
    """Height and width exchanged in the declared layout of a tensor whose axes do not tell them apart."""

    kind: str = "layout_declared"
    title: str = "signature.json exchanges height and width of a tensor"

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """A square tensor where there is one: any other is refused by its shape."""
        signature = _declared(subject)
        images = [spec for spec in _specs(signature) if len(spec.shape) == 4]
        square = [spec for spec in images if spec.torch_shape[2] == spec.torch_shape[3]]
        spec = pick(random, square or images, "no declared tensor has four axes")
        order = spec.permutation or (0, 1, 2, 3)
        exchanged = {2: 3, 3: 2}
        changed = replace(spec, permutation=tuple(exchanged.get(axis, axis) for axis in order))
        subject.signature = _with(signature, spec, changed)
        return f"the layout of {spec.name}"


@dataclass(frozen=True)
class DeclaredQuantization:
    """Another scale or zero point than the file's for an input or output."""

    kind: str
    title: str
    scale: float
    zero_point: int

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """One quantized tensor."""
        signature = _declared(subject)
        found = [(spec, spec.quantization) for spec in _specs(signature) if spec.quantization is not None]
        spec, was = pick(random, found, "no input or output is quantized")
        now = Quantization(was.scale * self.scale, was.zero_point + self.zero_point)
        subject.signature = _with(signature, spec, replace(spec, quantization=now))
        return (
            f"{spec.name}: scale {now.scale:.4g} for {was.scale:.4g}, zero point {now.zero_point} for {was.zero_point}"
        )


def _declared(subject: Subject) -> Signature:
    if subject.signature is None:
        raise NotApplicable(_UNDECLARED)
    return subject.signature


def _specs(signature: Signature) -> tuple[TensorSpec, ...]:
    return (*signature.inputs, *signature.outputs)


def _with(signature: Signature, old: TensorSpec, new: TensorSpec) -> Signature:
    return Signature(
        tuple(new if spec is old else spec for spec in signature.inputs),
        tuple(new if spec is old else spec for spec in signature.outputs),
        signature.axes,
    )


SIDECAR_FAULTS: tuple[Fault, ...] = (
    LayoutLie(),
    DeclaredQuantization("declared_zero_point", "signature.json has a zero point one higher than the file's", 1.0, 1),
    DeclaredQuantization("declared_scale", "signature.json has a scale 1.1 times the file's", 1.1, 0),
)
