"""How LiteRT cuts a graph for a delegate that takes some of its ops."""

from __future__ import annotations

from collections.abc import Sequence

from verify.inspection.tflite_graph import Operator


def partition(operators: Sequence[Operator], taken: Sequence[bool]) -> list[list[int]]:
    """The parts that a delegate would be handed, in the order in which they run; indices into ``operators``.

    The first op that is ready decides whether the next part is the delegate's; the part then holds every op of that
    sort whose inputs are there, passing over others. Source: ``PartitionGraphIntoIndependentNodeSubsets`` in LiteRT's
    ``tflite/graph_info.cc``.
    """
    needs = [_needs(operator) for operator in operators]
    gives = [{tensor.index for tensor in operator.outputs} for operator in operators]
    ready = set[int]().union(*needs) - set[int]().union(*gives)
    waiting, parts = list(range(len(operators))), []
    while waiting:
        first = next((at for at in waiting if needs[at] <= ready), None)
        if first is None:  # a graph whose ops wait for each other is no graph that runs
            break
        part = []
        for at in waiting:
            if taken[at] == taken[first] and needs[at] <= ready:
                part.append(at)
                ready |= gives[at]
        if taken[first]:
            parts.append(part)
        done = set(part)
        waiting = [at for at in waiting if at not in done]
    return parts


def _needs(operator: Operator) -> set[int]:
    return {tensor.index for tensor in operator.inputs if tensor is not None and not tensor.constant}
