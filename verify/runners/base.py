"""One protocol for every format: a context manager that takes named arrays and gives named arrays."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from verify.signature import Signature

Array = npt.NDArray[np.generic]
Batch = Mapping[str, Array]


class Runner(Protocol):
    """A model that is ready to run.

    ``infer`` takes and gives arrays as the model itself stores them (its own axis order, quantized if it is);
    the batch size may differ from call to call. The interpreter or session is built once, on entering.
    """

    @property
    def signature(self) -> Signature: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def infer(self, inputs: Batch) -> dict[str, Array]: ...
