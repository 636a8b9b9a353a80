"""Nets with a mistake that people make, each the smallest that shows it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from verify.samples import InputSpec

FEATURES = InputSpec("features", ("N", 8))


class _Base(nn.Module):
    inputs: tuple[InputSpec, ...] = (FEATURES,)

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.norm = nn.BatchNorm1d(8)


class ListOfLayers(_Base):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(8, 8), nn.Linear(8, 8)]

    def forward(self, features: Tensor) -> Tensor:
        for layer in self.layers:
            features = layer(features).relu()
        return self.fc(features)


class DictOfBranches(_Base):
    def __init__(self) -> None:
        super().__init__()
        self.branches = {"left": (nn.Linear(8, 4), "a name"), "right": (nn.Linear(8, 4), "another")}

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([layer(features) for layer, _ in self.branches.values()], dim=1)


class UnusedTeacher(_Base):
    """Kept out of the state_dict on purpose, and no part of inference: no mistake."""

    def __init__(self) -> None:
        super().__init__()
        self.teacher = [nn.Linear(8, 8)]
        self.activations = [nn.ReLU(), nn.Tanh()]
        self.again = [self.fc]

    def forward(self, features: Tensor) -> Tensor:
        for activation, layer in zip(self.activations, self.again, strict=False):
            features = activation(layer(features))
        return features


class FunctionalDropout(_Base):
    def forward(self, features: Tensor) -> Tensor:
        return functional.dropout(self.fc(features), 0.5)


class ChannelDropout(_Base):
    def forward(self, features: Tensor) -> Tensor:
        return functional.dropout2d(self.fc(features).view(-1, 2, 2, 2), 0.5, training=True)


class TrainingInForward(_Base):
    def forward(self, features: Tensor) -> Tensor:
        self.train()
        return self.norm(self.fc(features))


class NoRunningStatistics(_Base):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8, track_running_stats=False)

    def forward(self, features: Tensor) -> Tensor:
        return self.norm(self.fc(features))


class NoiseInForward(_Base):
    """A variational autoencoder's sampling, left in."""

    def forward(self, features: Tensor) -> Tensor:
        mean = self.fc(features)
        return mean + torch.randn_like(mean)


class Shuffled(_Base):
    def forward(self, features: Tensor) -> Tensor:
        return self.fc(features)[:, torch.randperm(8)]


class RunningCount(_Base):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(8))

    def forward(self, features: Tensor) -> Tensor:
        self.seen += 1
        return self.fc(features) / self.seen


class CountedForTheLog(_Base):
    """A buffer that is written and never read: no mistake."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        self.calls += 1
        return self.fc(features)


class ScratchBuffer(_Base):
    """A buffer that is filled anew before it is read: no mistake."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scratch", torch.zeros(8))

    def forward(self, features: Tensor) -> Tensor:
        self.scratch.fill_(2.0)
        return self.fc(features) * self.scratch


class StandardisedWeights(_Base):
    """Weights with mean 0 and variance 1, as the NFNets' convolutions have them: no batch changes those. No mistake."""

    def forward(self, features: Tensor) -> Tensor:
        weight = functional.batch_norm(self.fc.weight.reshape(1, 8, -1), None, None, training=True, momentum=0.0)
        return functional.linear(features, weight.reshape_as(self.fc.weight), self.fc.bias)


class ViewOfThirtyTwo(_Base):
    def forward(self, features: Tensor) -> Tensor:
        return self.fc(features.view(32, -1))


class ReshapeToTwo(_Base):
    """It even runs, at the batch of the example."""

    def forward(self, features: Tensor) -> Tensor:
        return self.fc(features).reshape(2, 2, 4)


class MixesSamples(_Base):
    """It runs at every even batch, and gives rows that belong to no sample."""

    def forward(self, features: Tensor) -> Tensor:
        return self.fc(features).view(4, -1)


class LstmOfSixteen(nn.Module):
    inputs = (InputSpec("frames", ("N", 5, 8)),)

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 4, batch_first=True)

    def forward(self, frames: Tensor) -> Tensor:
        state = (torch.zeros(1, 16, 4), torch.zeros(1, 16, 4))
        return self.lstm(frames, state)[0]


class OnlyOneAtATime(_Base):
    def forward(self, features: Tensor) -> Tensor:
        return self.fc(torch.cat([features[:, :4], torch.ones(1, 4)], dim=1))


class OnTheGpu(_Base):
    def forward(self, features: Tensor) -> Tensor:
        return self.fc(features.cuda())


class ZerosOnTheGpu(_Base):
    def forward(self, features: Tensor) -> Tensor:
        return self.fc(features) + torch.zeros(8, device="cuda")


class ThroughNumpy(_Base):
    def forward(self, features: Tensor) -> Tensor:
        return torch.from_numpy(np.tanh(self.fc(features).detach().cpu().numpy()))


class NumpySwish(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        array = x.numpy()
        return torch.from_numpy(array / (1 + np.exp(-array)))


class CustomFunctionInNumpy(_Base):
    def forward(self, features: Tensor) -> Tensor:
        return NumpySwish.apply(self.fc(features))


class ForgottenLayer(_Base):
    def forward(self, features: Tensor) -> Tensor:
        return self.fc1(features)


class DictBatch(_Base):
    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.fc(batch["features"])


class DictItems(_Base):
    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return torch.cat([self.fc(tensor) for _, tensor in batch.items()], dim=1)


class MaskByName(_Base):
    def forward(self, features: Tensor, *, mask: Tensor) -> Tensor:
        return self.fc(features * mask)


class AnyNumberOfInputs(_Base):
    def forward(self, *features: Tensor) -> Tensor:
        return self.fc(torch.stack(features).sum(0))


class Float64Constant(_Base):
    """NumPy's arrays are float64, and so is what they touch."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = torch.from_numpy(np.linspace(0, 1, 8))

    def forward(self, features: Tensor) -> Tensor:
        return self.fc(features - self.mean)


class HalfInput(_Base):
    def forward(self, features: Tensor) -> Tensor:
        return self.fc(features.half())


class GradientInForward(_Base):
    def forward(self, features: Tensor) -> Tensor:
        features = features.requires_grad_()
        return torch.autograd.grad(self.fc(features).sum(), features)[0]


class TextAmongOutputs(_Base):
    def forward(self, features: Tensor) -> dict[str, object]:
        return {"scores": self.fc(features), "version": "1.0"}
