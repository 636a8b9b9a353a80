"""Every tensor that a PyTorch model computes, op by op, as it runs: ATen ops, seen below its modules and functions.

Modules alone would not do: ``x + y`` and ``torch.relu(x)`` are nobody's output. Attention and transformer layers run
without their fused kernels, so that what is inside them is seen as well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from verify.localise.graph import Op
from verify.localise.recording import TensorStore
from verify.localise.steps import Values
from verify.localise.torch_code import Call
from verify.localise.torch_kinds import kind_of

_MULTIPLYING = frozenset({"Conv", "ConvTranspose", "Gemm", "lstm", "gru", "mkldnn_rnn_layer"})


class OpRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every op that depends on the tensors given to :meth:`take`, and writes what it gives.

    Tensors are numbered in the order in which they are computed, the same for each sample.
    """

    def __init__(self, store: TensorStore, sample: int, count: int, code: Callable[[], Call]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ops: list[Op] = []
        self.dtypes: dict[str, np.dtype[np.generic]] = {}
        self._store, self._sample, self._count, self._code = store, sample, count, code
        self._clock = 0
        self._known: Any = WeakIdKeyDictionary()
        self._changed: dict[int, tuple[str, int]] = {}

    def take(self, tensor: torch.Tensor) -> str:
        """The key of a tensor from outside, or of one that an op gave that has since been written into."""
        return self._name(tensor)

    def key(self, tensor: torch.Tensor) -> str | None:
        """Of a tensor that depends on what was taken; one that was written into through a view is noted anew."""
        key, born = self._known.get(tensor, (None, -1))
        changed = self._changed.get(tensor.untyped_storage()._cdata)
        if changed is None or changed[1] <= born:
            return None if key is None else str(key)
        return self._note("Identity", (key, changed[0]), [tensor])[0]

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        taken = [each for each in tree_leaves((args, kwargs or {})) if isinstance(each, torch.Tensor)]
        inputs = [self.key(each) for each in taken]
        given = func(*args, **(kwargs or {}))
        outputs = [each for each in tree_leaves(given) if isinstance(each, torch.Tensor)]
        if not any(each is not None for each in inputs):
            self._clock += 1
            for tensor in outputs:
                self._known[tensor] = None, self._clock
            return given
        names = self._noted(func, args, inputs, outputs)
        if func._schema.is_mutable and names:
            for tensor in outputs:
                self._changed[tensor.untyped_storage()._cdata] = names[0], self._clock
        return given

    def _noted(
        self, func: Any, args: tuple[Any, ...], inputs: list[str | None], given: list[torch.Tensor]
    ) -> list[str]:
        """Note an op; a product with a sum as two, for ONNX may have them apart."""
        kind = kind_of(func.name(), args)
        if func is torch.ops.aten.addmm.default and len(inputs) == len(args):
            added, *factors = inputs
            product = self._note(kind, factors, [args[1] @ args[2]])
            return self._note("Add", [added, *product], given)
        return self._note(kind, inputs, given)

    def _note(self, kind: str, inputs: Sequence[str | None], given: list[torch.Tensor]) -> list[str]:
        """Write down what an op gives; an input that is ``None`` is a constant."""
        call = self._code()
        self._clock += 1
        names = [self._name(tensor) for tensor in given]
        op = Op(
            len(self.ops),
            kind,
            tuple(dict.fromkeys(each for each in inputs if each is not None)),
            tuple(names),
            module=call.module,
            source=call.source,
            weighted=kind in _MULTIPLYING and None in inputs,
            module_type=call.module_type,
        )
        self.ops.append(op)
        return names

    def _name(self, tensor: torch.Tensor) -> str:
        key = str(len(self.dtypes))
        self._known[tensor] = key, self._clock
        values = _values(tensor)
        self.dtypes[key] = values.dtype
        self._store.keep_sample(key, self._sample, self._count, values)
        return key


def _values(tensor: torch.Tensor) -> Values:
    plain = tensor.detach().float() if tensor.dtype in {torch.bfloat16, torch.float16} else tensor.detach()
    values: Values = plain.resolve_conj().resolve_neg().cpu().numpy()
    return values


@contextlib.contextmanager
def unfused() -> Iterator[None]:
    """No gradients, no kernels that hide several layers in one."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
