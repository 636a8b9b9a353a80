"""Put a checkpoint's tensors into a module: every one where it belongs, or an error that says which do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from verify.checkpoint.legacy_keys import current_spellings
from verify.errors import StateDictMismatch

Shape = tuple[int, ...]
_SHOWN = 5


@dataclass(frozen=True)
class Fit:
    """How a state_dict's tensors lie to a module's: ``keys`` leads from the module's names to those of ``spelling``."""

    spelling: Mapping[str, Shape]
    keys: Mapping[str, str]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshaped: tuple[str, ...]
    """``name is (10, 512), expected (1000, 512)``"""

    @property
    def problem_count(self) -> int:
        return len(self.missing) + len(self.unexpected) + len(self.misshaped)

    def described(self) -> tuple[str, ...]:
        """One line for each kind of problem, with its first few tensors."""
        kinds = (("missing", self.missing), ("unexpected", self.unexpected), ("of another shape", self.misshaped))
        return tuple(f"{len(found)} {kind}: {_first(found)}" for kind, found in kinds if found)


def best_fit(module: torch.nn.Module, spellings: list[Mapping[str, Shape]]) -> Fit:
    """Of all ways to read the checkpoint's keys, the one that leaves least over."""
    expected = {
        name: tuple(tensor.shape) for name, tensor in module.state_dict().items() if isinstance(tensor, torch.Tensor)
    }
    fits = (_fit(expected, shapes, keys) for shapes in spellings for keys in _readings(shapes))
    return min(fits, key=lambda fit: fit.problem_count)


def _readings(shapes: Mapping[str, Shape]) -> Iterator[dict[str, str]]:
    yield {name: name for name in shapes}
    yield from current_spellings(shapes)


def _fit(expected: Mapping[str, Shape], shapes: Mapping[str, Shape], keys: Mapping[str, str]) -> Fit:
    matched = {name: key for name, key in keys.items() if name in expected and expected[name] == shapes[key]}
    misshaped = tuple(
        f"{name} is {shapes[keys[name]]}, expected {expected[name]}"
        for name in expected
        if name in keys and name not in matched
    )
    missing = tuple(name for name in expected if name not in keys and not name.endswith("num_batches_tracked"))
    unexpected = tuple(
        key for name, key in keys.items() if name not in expected and not name.endswith("num_batches_tracked")
    )
    return Fit(shapes, matched, missing, unexpected, misshaped)


def require_whole(path: Path, architecture: str, fit: Fit, *, partial: bool) -> tuple[str, ...]:
    """Notes on what ``partial`` lets pass; raises ``StateDictMismatch`` without it, or where nothing fits at all."""
    if not fit.problem_count:
        return ()
    if partial and fit.keys:
        return tuple(f"--partial: tensors {line}" for line in fit.described())
    if not fit.keys:
        fix = f"is --arch {architecture} the network that this checkpoint was saved from?"
    else:
        fix = (
            "check --arch and --arch-args (number of classes, width); --partial loads what fits and leaves the rest "
            "as the constructor made it"
        )
    raise StateDictMismatch(
        f"{path} does not fit {architecture}: {len(fit.keys)} tensors agree, {fit.problem_count} do not",
        fix=fix,
        context=fit.described(),
    )


def load(module: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Replace the module's tensors by these, without copying them."""
    state = module.state_dict()
    metadata = getattr(state, "_metadata", None)
    state.clear()
    state.update(tensors)
    if metadata is not None:  # keys are in their current spelling by now: the module's own version applies
        state._metadata = metadata  # type: ignore[attr-defined]
    module.load_state_dict(state, strict=False, assign=True)


def _first(names: tuple[str, ...]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
