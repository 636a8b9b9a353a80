"""Choosing operators by a pattern, and lifting them out of int8: to float, or to int16 activations.

A pattern is an op type (``SOFTMAX``), a PyTorch module path (``features.0``: it and all within; ``*.attention.*``: as
in a shell) or a tensor name (as in a shell). ``op:``, ``module:`` or ``tensor:`` before it says which one is meant;
behind ``tensor:`` stands a regular expression.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from quantize.operators import Operator
from quantize.recipe import ACTIVATIONS_INT16, Override, Precision, Recipe
from verify.errors import InputError

_NEAR = 5
_LEAST_ALIKE = 0.4
_KINDS = ("op", "module", "tensor")


def select(pattern: str, among: Sequence[Operator]) -> tuple[Operator, ...]:
    """The operators that a pattern means; raises ``InputError`` with near matches if there are none."""
    kind, _, rest = pattern.partition(":")
    wanted = rest if kind in _KINDS else pattern
    found = tuple(operator for operator in among if _matches(kind if kind in _KINDS else "", wanted, operator))
    if not found:
        raise _no_match(pattern, wanted, among)
    return found


def overrides(keep_float: Sequence[str], keep_int16: Sequence[str], among: Sequence[Operator]) -> tuple[Override, ...]:
    """What the patterns come to, in the order of the operators; float goes before int16."""
    chosen: dict[int, Precision] = {}
    for precision, patterns in ((Precision.INT16, keep_int16), (Precision.FLOAT, keep_float)):
        for pattern in patterns:
            chosen |= {operator.index: precision for operator in select(pattern, among)}
    return tuple(Override(each.name, chosen[each.index]) for each in among if each.index in chosen)


def lifted(recipe: Recipe, outputs: Collection[str], precision: Precision) -> Recipe:
    """The recipe with the ops that give these tensors computed in ``precision`` from here on.

    ``Precision.INT8`` takes back an earlier lift. For other ops what was said before holds.
    """
    others = tuple(each for each in recipe.overrides if each.output not in outputs)
    if precision is Precision.INT8:
        return replace(recipe, overrides=others)
    return replace(recipe, overrides=(*others, *(Override(name, precision) for name in sorted(outputs))))


def liftable(recipe: Recipe, operator: Operator) -> tuple[Precision, ...]:
    """What an op that the recipe makes int8 may be lifted to, cheapest first; empty where it is in float anyway."""
    from quantize.rules import has_kernel

    rule = next((rule for rule in recipe.ops if rule.op == rule_name(operator.op)), None)
    if rule is None:
        return ()
    wide = has_kernel(replace(rule, activations=ACTIVATIONS_INT16))
    return (Precision.INT16, Precision.FLOAT) if wide else (Precision.FLOAT,)


def require_applicable(recipe: Recipe, among: Sequence[Operator]) -> None:
    """Raise ``InputError`` for an override of a tensor that no op gives, or of an op that has no int16 kernel."""
    by_output = {name: operator for operator in among for name in operator.outputs}
    for each in recipe.overrides:
        if each.output not in by_output:
            raise _no_match(f"tensor:{each.output}", each.output, among)
        operator = by_output[each.output]
        if each.precision is Precision.INT16 and Precision.INT16 not in liftable(recipe, operator):
            raise InputError(
                f"LiteRT has no int16 kernel that is right for {operator.op} ({each.output!r})",
                fix="keep it in float instead",
            )


def rule_name(op: str) -> str:
    """TFLite's name of an op → the quantizer library's."""
    return {"TRANSPOSE_CONV": "CONV_2D_TRANSPOSE"}.get(op, op)


def _matches(kind: str, wanted: str, operator: Operator) -> bool:
    if kind == "tensor":
        return any(re.search(wanted, name) for name in operator.outputs)
    by_op = kind in {"", "op"} and wanted == operator.op
    by_module = kind in {"", "module"} and any(
        fnmatchcase(path, wanted) or path.startswith(wanted + ".") for path in operator.modules
    )
    return by_op or by_module or (not kind and any(fnmatchcase(name, wanted) for name in operator.outputs))


def _no_match(pattern: str, wanted: str, among: Sequence[Operator]) -> InputError:
    known = {operator.op for operator in among} | {path for operator in among for path in operator.modules}
    known |= {name for operator in among for name in operator.outputs}
    near = difflib.get_close_matches(wanted, sorted(known), _NEAR, _LEAST_ALIKE)
    modules = any(operator.modules for operator in among)
    fix = f"near to it: {', '.join(near)}" if near else f"op types: {', '.join(sorted({each.op for each in among}))}"
    if not modules:
        fix += "; module names are known of files that convert made with its SavedModel beside them"
    return InputError(f"{pattern!r} matches no op of the model", fix=fix)
