"""Operators that torch's exporter does not translate as they are, spelled with ones that it does, in place.

Each rule gives what ``run_decompositions`` would have given in inference, without tracing the net again.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node

from convert.export.node_arguments import arguments_by_name

_aten = torch.ops.aten


def spell_out(node: Node) -> bool:
    """Rewrite one node by its rule, if it has one that holds for its arguments."""
    rule = _RULES.get(node.target)
    return rule is not None and rule(node)


def batch_norm(node: Node) -> bool:
    """Inference batch norm with all its tensors: ``(x - mean) / sqrt(var + eps) * weight + bias``, fixed statistics."""
    arguments = arguments_by_name(node)
    tensors = [arguments[name] for name in ("input", "weight", "bias", "running_mean", "running_var")]
    if arguments["training"] or not all(isinstance(tensor, Node) for tensor in tensors):
        return False
    with node.graph.inserting_before(node):
        normalised = node.graph.call_function(
            _aten._native_batch_norm_legit_no_training.default, (*tensors, arguments["momentum"], arguments["eps"])
        )
        first = node.graph.call_function(operator.getitem, (normalised, 0))
    empty = node.meta["val"].new_empty((0,))
    normalised.meta = {**node.meta, "val": (node.meta["val"], empty, empty)}
    _replace(node, first)
    return True


def adaptive_avg_pool2d(node: Node) -> bool:
    """To 1x1: the mean over height and width. To sizes that divide the input's evenly: plain average pooling."""
    image, target = node.args[0], node.args[1]
    if not isinstance(image, Node) or not isinstance(target, list | tuple):
        return False
    height_width = image.meta["val"].shape[-2:]
    if list(target) == [1, 1]:
        node.target, node.args = _aten.mean.dim, (image, [-1, -2], True)
        return True
    static = all(isinstance(size, int) for size in (*target, *height_width))
    if not static or any(size % out for size, out in zip(height_width, target, strict=True)):
        return False
    kernel = [size // out for size, out in zip(height_width, target, strict=True)]
    if kernel == [1, 1]:
        node.target, node.args = _aten.clone.default, (image,)
    else:
        node.target, node.args = _aten.avg_pool2d.default, (image, kernel, kernel)
    return True


def dropout(node: Node) -> bool:
    """In inference dropout gives back its input."""
    given = node.args[0]
    if arguments_by_name(node)["train"] or not isinstance(given, Node):
        return False
    _replace(node, given)
    return True


def translated_as_it_is(_node: Node) -> bool:
    """Composites that may return a view: a retrace takes them apart, although the exporter knows them whole."""
    return True


def recurrent(node: Node) -> bool:
    """A whole layer as the exporter translates it: two or four weights a direction, so no projection of the state."""
    arguments = arguments_by_name(node)
    directions = arguments["num_layers"] * (2 if arguments["bidirectional"] else 1)
    weights = directions * (4 if arguments["has_biases"] else 2)
    return len(arguments["params"]) == weights and not arguments["train"]


def even_chunks(node: Node) -> bool:
    """``chunk`` into equal parts, as ONNX's Split makes them; torch may give fewer parts than asked for otherwise."""
    arguments = arguments_by_name(node)
    size = arguments["self"].meta["val"].shape[arguments["dim"]]
    return isinstance(size, int) and size % arguments["chunks"] == 0 and arguments["chunks"] > 1


def unflatten(node: Node) -> bool:
    """One axis split into several, as a reshape; at most one of the resulting dims may be symbolic."""
    dims = list(node.meta["val"].shape)
    symbolic = [axis for axis, dim in enumerate(dims) if not isinstance(dim, int)]
    if len(symbolic) > 1:
        return False
    shape = [-1 if axis in symbolic else dim for axis, dim in enumerate(dims)]
    node.target, node.args, node.kwargs = _aten.reshape.default, (node.args[0], shape), {}
    return True


def swapaxes(node: Node) -> bool:
    """``transpose`` by another name."""
    node.target = _aten.transpose.int
    return True


def expand_as(node: Node) -> bool:
    """Not at all, where the result only meets the tensor it is expanded to: arithmetic broadcasts (``F.normalize``)."""
    given, like = node.args
    if not isinstance(given, Node) or not isinstance(like, Node) or given.meta["val"].dtype != like.meta["val"].dtype:
        return False
    if not all(user.target in _BROADCASTING and like in user.args[:2] for user in node.users):
        return False
    _replace(node, given)
    return True


def _replace(node: Node, replacement: Node) -> None:
    if not replacement.meta:
        replacement.meta = dict(node.meta)
    node.replace_all_uses_with(replacement)
    node.graph.erase_node(node)


_BROADCASTING = frozenset({_aten.add.Tensor, _aten.sub.Tensor, _aten.mul.Tensor, _aten.div.Tensor})

_RULES: dict[Any, Callable[[Node], bool]] = {
    _aten.batch_norm.default: batch_norm,
    _aten.adaptive_avg_pool2d.default: adaptive_avg_pool2d,
    _aten.dropout.default: dropout,
    _aten.expand_as.default: expand_as,
    _aten.dropout_.default: dropout,
    _aten.feature_dropout.default: dropout,
    _aten.flatten.using_ints: translated_as_it_is,
    _aten.reshape.default: translated_as_it_is,
    _aten.contiguous.default: translated_as_it_is,
    _aten.lstm.input: recurrent,
    _aten.gru.input: recurrent,
    _aten.rnn_tanh.input: recurrent,
    _aten.rnn_relu.input: recurrent,
    _aten.chunk.default: even_chunks,
    _aten.swapaxes.default: swapaxes,
    _aten.swapdims.default: swapaxes,
    _aten.unflatten.int: unflatten,
}
