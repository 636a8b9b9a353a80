"""Nets that take and give more than one float tensor: every kind of input and of return value."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor, nn

from verify.samples import InputSpec

FEATURES = InputSpec("features", ("N", 8))


@dataclass
class Detections:
    """A plain dataclass, of which PyTorch's exporter knows nothing."""

    boxes: Tensor
    scores: Tensor
    masks: Tensor | None = None


class Head(NamedTuple):
    logits: Tensor
    hidden: tuple[Tensor, Tensor]


@dataclass
class ModelOutput(OrderedDict):  # type: ignore[type-arg]
    """As transformers has it: a dataclass that is a dict of those fields that are not None."""

    logits: Tensor | None = None
    loss: Tensor | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                super().__setitem__(field.name, value)


class _Base(nn.Module):
    inputs: tuple[InputSpec, ...] = (FEATURES,)

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)


class GivesDataclass(_Base):
    def forward(self, features: Tensor) -> Detections:
        boxes = self.fc(features)
        return Detections(boxes, boxes.sum(1))


class GivesNamedTuple(_Base):
    def forward(self, features: Tensor) -> Head:
        logits = self.fc(features)
        return Head(logits, (logits.relu(), logits.tanh()))


class GivesModelOutput(_Base):
    def forward(self, features: Tensor) -> ModelOutput:
        return ModelOutput(logits=self.fc(features))


class GivesNested(_Base):
    def forward(self, features: Tensor) -> tuple[Tensor, dict[str, object], list[Detections], None]:
        x = self.fc(features)
        return x, {"maps": [x + 1, x + 2], "none": None}, [Detections(x * 2, x[:, 0])], None


class GivesOneTwice(_Base):
    """The same tensor under two names, and an input as it came."""

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        x = self.fc(features)
        return {"embedding": x, "logits": x, "again": features}


class GivesManyTypes(_Base):
    """Classes, decisions, and a loss without a batch axis."""

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        x = self.fc(features)
        return {"logits": x, "classes": x.argmax(1), "sure": x > 0.1, "loss": x.square().mean()}


class TakesManyTypes(_Base):
    """Tokens, their mask, a count and numbers; ``labels`` are for training, and left out; nothing uses ``extra``."""

    inputs = (
        InputSpec("ids", ("N", 5), dtype="int64", low=0, high=9),
        InputSpec("mask", ("N", 5), dtype="bool"),
        InputSpec("segment", ("N",), dtype="int32", low=0, high=3),
        InputSpec("features", ("N", 8)),
        InputSpec("extra", ("N", 2)),
    )

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 8)
        self.segments = nn.Embedding(4, 8)

    def forward(
        self,
        ids: Tensor,
        mask: Tensor,
        segment: Tensor,
        features: Tensor,
        extra: Tensor,
        labels: Tensor | None = None,
        scale: float = 2.0,
    ) -> tuple[Tensor, Tensor | None]:
        del extra
        tokens = self.words(ids).masked_fill(~mask.unsqueeze(-1), 0.0).sum(1) * scale
        loss = None if labels is None else tokens.sum()
        return self.fc(tokens + self.segments(segment) + features), loss


class ChangesItsInput(_Base):
    """What it writes into its input reaches neither the caller's array nor a later run."""

    def forward(self, features: Tensor) -> Tensor:
        features -= 0.5
        features[:, 0] = 3.0
        return self.fc(features.relu_())


class Everything(nn.Module):
    """All of them at once: what the whole command has to carry through every file."""

    inputs = TakesManyTypes.inputs

    def __init__(self) -> None:
        super().__init__()
        self.tokens = TakesManyTypes()
        self.types = GivesManyTypes()
        self.twice = GivesOneTwice()
        self.detections = GivesDataclass()
        self.changes = ChangesItsInput()

    def forward(self, ids: Tensor, mask: Tensor, segment: Tensor, features: Tensor, extra: Tensor) -> dict[str, object]:
        first, _ = self.tokens(ids, mask, segment, features, extra)
        wide = torch.cat([first, first + 1], dim=1)
        return {
            "tokens": first,
            "types": self.types(features),
            "twice": self.twice(wide),
            "detections": self.detections(wide.tanh()),
            "changed": self.changes(wide * features),
        }
