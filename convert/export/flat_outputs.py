"""A module that returns a plain dict of its outputs for a while: torch takes no container that it does not know.

Dataclasses and their like (transformers' ``ModelOutput`` where transformers did not register it) are leaves to it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from torch import nn

from verify.runners.flatten import flatten_outputs


@contextlib.contextmanager
def flat_outputs(module: nn.Module) -> Iterator[None]:
    """While this holds, ``forward`` gives ``{name: tensor}``; its signature and the module's weights stay."""
    forward, attributes = module.forward, vars(module)
    own = attributes.get("forward")

    @functools.wraps(forward)
    def named(*arguments: Any, **keywords: Any) -> dict[str, Any]:
        return dict(flatten_outputs(forward(*arguments, **keywords)))

    attributes["forward"] = named
    try:
        yield
    finally:
        if own is None:
            del attributes["forward"]
        else:
            attributes["forward"] = own


def is_unknown_container(error: Exception) -> bool:
    """Whether ``torch.export`` stopped at an output that it takes for a leaf and no tensor."""
    return "in output, which is not a known type" in str(error)
