"""Old spellings of state_dict keys: what torchvision called its layers before, and what it calls them now."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

_RENAMED: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    # DenseNet, torchvision < 0.3: norm.1 → norm1 (its published files still have the old names)
    (re.compile(r"^(.*denselayer\d+\.(?:norm|conv))\.([12])\."), r"\1\2."),
    # VisionTransformer's MLPBlock, _version 1
    (re.compile(r"\.mlp\.linear_1\."), ".mlp.0."),
    (re.compile(r"\.mlp\.linear_2\."), ".mlp.3."),
    # RPNHead and MaskRCNNHeads, _version 1
    (re.compile(r"^rpn\.head\.conv\.(weight|bias)$"), r"rpn.head.conv.0.0.\1"),
    (re.compile(r"\.mask_head\.mask_fcn([1-4])\."), lambda m: f".mask_head.{int(m[1]) - 1}.0."),
    # RetinaNet's heads, _version 1: Sequential(conv, relu, conv, relu …)
    (re.compile(r"^(head\.\w+_head\.conv)\.([0246])\.(weight|bias)$"), lambda m: f"{m[1]}.{int(m[2]) // 2}.0.{m[3]}"),
)
_BOOKKEEPING = "num_batches_tracked"


def current_name(key: str) -> str:
    """A key as the current release spells it."""
    for pattern, replacement in _RENAMED:
        key = pattern.sub(replacement, key)
    return key


def current_spellings(keys: Iterable[str]) -> Iterator[dict[str, str]]:
    """``{name: key}`` with the keys as they are, then, where that differs, with old spellings brought up to date.

    ``num_batches_tracked`` is left out: old checkpoints lack it and nothing is computed from it.
    """
    plain = {key: key for key in keys if not key.endswith(_BOOKKEEPING)}
    yield plain
    renamed = {current_name(key): key for key in plain}
    if renamed.keys() != plain.keys() and len(renamed) == len(plain):
        yield renamed
