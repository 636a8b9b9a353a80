"""Why ops of a file compute in float that a budget lifted there: nobody asked for those by name."""

from __future__ import annotations

from dataclasses import replace

from quantize.budget.report import BudgetReport
from verify.report.anatomy import Anatomy

FOR_ACCURACY = "lifted for accuracy"


def with_reasons(anatomy: Anatomy, budget: BudgetReport) -> Anatomy:
    """The anatomy with the search's reasons at the ops that it lifted."""
    why = {each.output: FOR_ACCURACY if each.for_accuracy else f"lifted ({each.why})" for each in budget.lifted}
    layers = tuple(
        replace(layer, why_float=why.get(layer.name, layer.why_float)) if layer.why_float else layer
        for layer in anatomy.layers
    )
    return replace(anatomy, layers=layers)
