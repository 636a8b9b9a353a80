"""Faults of one form: another value for an operator's option, or for a constant that it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from verify.faults.fault import Fault, NotApplicable, Subject, pick
from verify.faults.model import Array, Model, Node


@dataclass(frozen=True)
class Change:
    """Another value for an option of some operators. ``new`` gives ``None`` where it does not apply.

    ``where`` says of an operator whether the option can matter to it.
    """

    kinds: tuple[str, ...]
    name: str
    new: Callable[[Any], Any]
    where: Callable[[Model, Node], bool] | None = None


@dataclass(frozen=True)
class OptionFault:
    """One option of one operator has another value. ``absent`` is the reason where no operator has it."""

    kind: str
    title: str
    changes: tuple[Change, ...]
    absent: str

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """One of the operators that have the option."""
        model = subject.model
        found = [
            (node, change.name, value)
            for change in self.changes
            for node in model.of_kind(*change.kinds)
            if (value := change.new(model.attribute(node, change.name))) is not None
            and (change.where is None or change.where(model, node))
        ]
        node, name, value = pick(random, found, self.absent)
        before = model.attribute(node, name)
        model.set_attribute(node, name, value)
        return f"{name} of {node.label} is {value}, was {before}"


@dataclass(frozen=True)
class Operand:
    """A constant that an operator reads, and the shape of the operator's first input where the file says."""

    values: Array
    input_shape: tuple[int, ...] | None


@dataclass(frozen=True)
class ConstantFault:
    """One constant operand has other values. ``change`` gives ``None`` where it does not apply."""

    kind: str
    title: str
    kinds: tuple[str, ...]
    change: Callable[[Operand], Array | None]
    absent: str

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """One operand of one operator."""
        model = subject.model
        found = []
        for node in model.of_kind(*self.kinds):
            shape = None if node.inputs[0] is None else model.shape(node.inputs[0])
            for tensor in node.inputs:
                values = model.constant(tensor)
                changed = None if values is None else self.change(Operand(values, shape))
                if tensor is not None and changed is not None:
                    found.append((node, tensor, changed))
        node, tensor, changed = pick(random, found, self.absent)
        model.set_constant(tensor, changed)
        return f"a constant of {node.label}"


@dataclass(frozen=True)
class FirstThatApplies:
    """One fault that takes several forms."""

    kind: str
    title: str
    forms: tuple[Fault, ...]

    def inject(self, subject: Subject, random: np.random.Generator) -> str:
        """The first form that the model has something for."""
        reasons = []
        for form in self.forms:
            try:
                return form.inject(subject, random)
            except NotApplicable as refusal:
                reasons.append(str(refusal))
        raise NotApplicable(reasons[0])
