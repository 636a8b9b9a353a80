"""What a captured graph does that no file can do for inference: draw numbers, train, remember."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import ConstantArgument, InputKind
from torch.fx import Node

from convert.export.known_errors.explanation import (
    BATCH_STATISTICS,
    DROPOUT,
    DTYPES,
    NOT_TENSORS,
    RANDOM,
    STATE,
    Explanation,
)
from convert.export.node_arguments import arguments_by_name
from convert.export.source_line import of_stack_trace


def explain_program(program: ExportedProgram) -> Explanation | None:
    """The first thing in the graph that is not inference, if there is any."""
    of_inputs = _computed_from_inputs(program)
    for node in program.graph.nodes:
        if not isinstance(node.target, torch._ops.OpOverload):
            continue
        for rule in _RULES if node in of_inputs else _RULES_OF_WEIGHTS:
            explanation = rule(node)
            if explanation is not None:
                return explanation
    return _state(program) or _outputs(program)


def _dropout(node: Node) -> Explanation | None:
    name = _operator(node)
    arguments = arguments_by_name(node)
    on = arguments.get("train", arguments.get("training"))
    if "dropout" not in name or not on or not _draws(node):
        return None
    return Explanation(
        DROPOUT,
        f"{name} is on although the model is in eval mode: every run gives other numbers",
        fix="write functional.dropout(x, p, training=self.training), or use an nn.Dropout made in the constructor",
        line=_line(node),
    )


def _random(node: Node) -> Explanation | None:
    if not _draws(node):
        return None
    return Explanation(
        RANDOM,
        f"forward draws random numbers ({_operator(node)}): no two runs agree, and a TFLite file cannot draw them",
        fix="make what is drawn an input of forward (--input noise=N,...), or leave it out when not self.training",
        line=_line(node),
    )


def _batch_statistics(node: Node) -> Explanation | None:
    arguments = arguments_by_name(node)
    if "batch_norm" not in _operator(node) or not arguments.get("training", False):
        return None
    cause = (
        "it keeps no running statistics (track_running_stats=False)"
        if arguments.get("running_mean") is None
        else "it is in training mode"
    )
    return Explanation(
        BATCH_STATISTICS,
        f"a batch norm normalises by the mean and variance of the batch at hand, because {cause}: what a sample gives "
        "depends on the others in its batch",
        fix="leave the mode to eval() (no .train() or training=True in forward), with track_running_stats=True; a net "
        "that was trained on batches of one means nn.InstanceNorm2d, which loads the same weight and bias",
        line=_line(node),
    )


def _mixed_types(node: Node) -> Explanation | None:
    """What PyTorch refuses when it runs, and its exporter lets pass."""
    operands = [argument.meta.get("val") for argument in node.args[:2] if isinstance(argument, Node)]
    types = {value.dtype for value in operands if isinstance(value, torch.Tensor) and value.is_floating_point()}
    if _operator(node) not in _OF_ONE_TYPE or len(types) < 2:
        return None
    return Explanation(
        DTYPES,
        f"forward mixes float types ({' and '.join(sorted(map(str, types)))} in {_operator(node)}): weights and inputs "
        "are float32, something in forward is not",
        fix="leave .double() and .half() out of forward, and make constants float32: torch.from_numpy(array).float()",
        line=_line(node),
    )


_OF_ONE_TYPE = frozenset({"linear", "matmul", "mm", "bmm", "addmm", "conv1d", "conv2d", "conv3d", "einsum"})
_RULES: tuple[Callable[[Node], Explanation | None], ...] = (_dropout, _batch_statistics, _random, _mixed_types)
_RULES_OF_WEIGHTS = tuple(rule for rule in _RULES if rule is not _batch_statistics)
"""A weight may well be normalised by its own statistics, which no batch changes (the NFNets' convolutions)."""


def _draws(node: Node) -> bool:
    """Whether the operator draws random numbers that something uses; by torch's own tag and the operator's switches."""
    target: Any = node.target
    if torch.Tag.nondeterministic_seeded not in target.tags:
        return False
    arguments = arguments_by_name(node)
    switches = [arguments[name] for name in ("train", "training") if name in arguments]
    amounts = [arguments[name] for name in ("p", "dropout", "dropout_p") if name in arguments]
    switched_off = any(not switch for switch in switches)
    nothing_dropped = bool(amounts) and all(amount == 0 for amount in amounts) and ("bernoulli" not in _operator(node))
    return not switched_off and not nothing_dropped and (bool(node.users) or target._schema.is_mutable)


def _state(program: ExportedProgram) -> Explanation | None:
    """A buffer that is read and written: what a run gives depends on the runs before it."""
    for spec in program.graph_signature.input_specs:
        if spec.kind is not InputKind.BUFFER:
            continue
        node = next(node for node in program.graph.nodes if node.name == spec.arg.name)
        if _is_overwritten_first(node):
            continue
        reached = set(_reached(node))
        writer = next((user for user in reached if _writes_into(user, node)), None)
        if writer is not None and program.graph.output_node() in reached:
            return Explanation(
                STATE,
                f"forward changes the buffer {spec.target} and computes with it: what a run gives depends on the runs "
                "before it, and a TFLite file remembers nothing",
                fix="pass the state in as an input and out as an output, or leave it alone when not self.training",
                line=_line(writer),
            )
    return None


def _outputs(program: ExportedProgram) -> Explanation | None:
    """``None`` is left out of a model's outputs; a number or a text among them is nothing that a file can give."""
    constants = [
        spec.arg.value for spec in program.graph_signature.output_specs if isinstance(spec.arg, ConstantArgument)
    ]
    found = next((value for value in constants if value is not None), None)
    if found is None:
        return None
    return Explanation(
        NOT_TENSORS,
        f"forward returns {found!r} among its outputs, a {type(found).__name__}: a converted model gives tensors only",
        fix="return tensors only: put a subclass beside the net whose forward leaves the rest out, as --arch; "
        "it loads the same checkpoint",
    )


def _computed_from_inputs(program: ExportedProgram) -> set[Node]:
    names = set(program.graph_signature.user_inputs)
    inputs = [node for node in program.graph.find_nodes(op="placeholder") if node.name in names]
    return {node for start in inputs for node in _reached(start)}


def _reached(start: Node) -> Iterator[Node]:
    """Every node that depends on ``start``."""
    seen, waiting = {start}, [start]
    while waiting:
        for user in waiting.pop().users:
            if user not in seen:
                seen.add(user)
                waiting.append(user)
                yield user


def _is_overwritten_first(buffer: Node) -> bool:
    """Whether what the buffer held is gone before anything reads it."""
    first: Node | None = min(buffer.users, default=None)
    if first is None or not isinstance(first.target, torch._ops.OpOverload) or first.args[:1] != (buffer,):
        return False
    return _operator(first) in ("copy", "fill", "zero") and first.target._schema.is_mutable


def _writes_into(node: Node, buffer: Node) -> bool:
    """Whether the operator writes into the buffer, or into a view of it."""
    target = node.target
    if not isinstance(target, torch._ops.OpOverload) or not target._schema.is_mutable or not node.args:
        return False
    written: Any = node.args[0]
    while isinstance(written, Node) and written is not buffer and _is_view(written):
        written = written.args[0]
    return written is buffer


def _is_view(node: Node) -> bool:
    target = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return False
    first = target._schema.arguments[0]
    return first.alias_info is not None


def _operator(node: Node) -> str:
    """``dropout``, ``randn_like``: the operator without its namespace and overload."""
    target: Any = node.target
    return str(target._schema.name.removeprefix("aten::").removesuffix("_"))


def _line(node: Node) -> str | None:
    return of_stack_trace(node.meta.get("stack_trace"))
