"""The weights in a checkpoint's inert object tree: which of its dicts is the state_dict, and what its keys mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from verify.checkpoint.inert_pickle import Opaque
from verify.checkpoint.numpy_arrays import NumpyArray
from verify.checkpoint.tensors import StoredTensor

_WEIGHT_KEYS = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "module",
    "params",
    "weights",
    "model_weights",
    "net_state_dict",
    "generator",
    "params_ema",
    "state_dict_ema",
    "model_ema",
    "ema",
    "ema_state_dict",
    "ema_model",
    "shadow",
)
_EMA_KEYS = (
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "model_ema_state_dict",
    "ema_model",
    "params_ema",
    "ema",
    "shadow",
)
_NEVER_WEIGHTS = (
    "optim",
    "sched",
    "scaler",
    "loss",
    "criterion",
    "rng",
    "args",
    "config",
    "hyper",
    "callbacks",
    "history",
)
_DEEPEST = 4
T = TypeVar("T")
_WRAPPER_PREFIXES = (
    "module.",
    "_orig_mod.",
    "model.",
    "net.",
    "network.",
    "backbone.",
    "encoder.",
    "_model.",
    "generator.",
)
_NOT_PART_OF_A_MODEL = ("total_ops", "total_params", "n_averaged")


@dataclass(frozen=True)
class FoundWeights:
    """A state_dict's tensors by key, where they lay (``state_dict``, ``ema.module`` …), and what was left out."""

    tensors: Mapping[str, StoredTensor]
    where: str = ""
    left_out: tuple[str, ...] = ()


def find_weights(root: object, *, prefer_ema: bool = False) -> FoundWeights | None:
    """The state_dict in ``root``; ``None`` if there is none. An EMA copy comes first if preferred, else last."""
    candidates = list(_state_dicts(root, (), set()))
    if not candidates:
        return None
    return min(candidates, key=lambda found: _rank(found, prefer_ema))


def is_ema(where: str) -> bool:
    """Whether a place in a checkpoint holds an exponential moving average of the weights."""
    return any(part in _EMA_KEYS for part in where.split("."))


def _rank(found: FoundWeights, prefer_ema: bool) -> tuple[bool, int, int]:
    first = found.where.split(".")[0]
    known = _WEIGHT_KEYS.index(first) if first in _WEIGHT_KEYS else len(_WEIGHT_KEYS)
    return (is_ema(found.where) != prefer_ema, known if found.where else -1, -len(found.tensors))


def _state_dicts(node: object, path: tuple[str, ...], seen: set[int]) -> Iterator[FoundWeights]:
    if not isinstance(node, dict) or len(path) > _DEEPEST or id(node) in seen:
        return
    seen.add(id(node))
    tensors: dict[str, StoredTensor] = {}
    others: list[str] = []
    for key, value in node.items():
        tensor = value.tensor if isinstance(value, NumpyArray) else value
        if isinstance(key, str) and isinstance(tensor, StoredTensor):
            tensors[key] = tensor
        else:
            others.append(str(key) if isinstance(key, (str, int)) else "?")
    expected_here = not path or path[-1] in _WEIGHT_KEYS
    named_like_layers = any("." in key or key in ("weight", "bias") for key in tensors)
    if tensors and (named_like_layers or (expected_here and not others)):
        yield FoundWeights(tensors, ".".join(path), tuple(others))
        return
    for key, value in node.items():
        if isinstance(key, str) and not any(word in key.lower() for word in _NEVER_WEIGHTS):
            yield from _state_dicts(value, (*path, key), seen)


def scripted_weights(root: object) -> Mapping[str, StoredTensor]:
    """Tensors of a TorchScript archive by the names their state_dict has: attributes of nested objects."""
    found: dict[str, StoredTensor] = {}
    pending: list[tuple[str, object]] = [("", root)]
    seen: set[int] = set()
    while pending:
        prefix, node = pending.pop()
        if not isinstance(node, Opaque) or id(node) in seen or not isinstance(node.state, dict):
            continue
        seen.add(id(node))
        for key, value in node.state.items():
            if isinstance(value, StoredTensor):
                found[f"{prefix}{key}"] = value
            else:
                pending.append((f"{prefix}{key}.", value))
    return found


def holds_pickled_module(root: object) -> bool:
    """Whether a module object stands where the weights should: at the top, or under a usual key."""
    if isinstance(root, dict):
        return any(isinstance(root.get(key), Opaque) for key in _WEIGHT_KEYS)
    return isinstance(root, Opaque)


def without_bookkeeping(keys: Mapping[str, T]) -> dict[str, T]:
    """The tensors that a model has: without what profilers and weight averaging leave in a state_dict."""
    return {key: value for key, value in keys.items() if key.rpartition(".")[2] not in _NOT_PART_OF_A_MODEL}


def spellings(keys: Mapping[str, T]) -> Iterator[tuple[str, dict[str, T]]]:
    """The state_dict as it is, then with each wrapper's prefix taken off in turn: ``(prefix taken off, tensors)``.

    ``_orig_mod.`` (``torch.compile``) goes wherever it stands; other prefixes only when every key has them.
    """
    current = {key.replace("_orig_mod.", ""): value for key, value in without_bookkeeping(keys).items()}
    taken = ""
    yield taken, current
    while True:
        prefix = next((p for p in _WRAPPER_PREFIXES if current and all(key.startswith(p) for key in current)), None)
        if prefix is None:
            return
        current = {key.removeprefix(prefix): value for key, value in current.items()}
        taken += prefix
        yield taken, current
