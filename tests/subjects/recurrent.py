"""Recurrent nets, and nets with control flow, as people write them: the subjects of issue 4 that walk through time.

Each class builds with no arguments and is seeded, so that ``--arch tests/subjects/recurrent.py:CharRnn`` gives the same
weights everywhere; ``inputs`` says what it takes. Nothing here is written with an exporter in mind.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from verify.samples import InputSpec

FRAMES = InputSpec("frames", ("N", 12, 10))
LONG_FRAMES = InputSpec("frames", ("N", 64, 10))
CHARACTERS = InputSpec("ids", ("N", 20), dtype="int64", low=0, high=63)
WORD = InputSpec("word", ("N", 1), dtype="int64", low=0, high=99)
PICTURE = InputSpec("image", ("N", 3, 32, 32))
CAPTION = InputSpec("words", ("N", 8), dtype="int64", low=0, high=99)
FEATURES = InputSpec("features", ("N", 8))
LEAVES = InputSpec("leaves", ("N", 7), dtype="int64", low=0, high=49)


class LstmTagger(nn.Module):
    """A label for every frame. (batch, 12, 10) → (batch, 12, 5)."""

    inputs = (FRAMES,)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.lstm = nn.LSTM(10, 16, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, frames: Tensor) -> Tensor:
        outputs, _ = self.lstm(frames)
        return self.head(outputs)


class StackedBiLstm(nn.Module):
    """Two bidirectional layers; the class is read from the last states of both directions. (batch, 5)."""

    inputs = (FRAMES,)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.lstm = nn.LSTM(10, 16, num_layers=2, bidirectional=True, batch_first=True, dropout=0.2)
        self.head = nn.Linear(32, 5)

    def forward(self, frames: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(frames)
        return self.head(torch.cat([hidden[-2], hidden[-1]], dim=1))


class GruClassifier(nn.Module):
    """Two layers, the last frame's output. (batch, 12, 10) → (batch, 5)."""

    inputs = (FRAMES,)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.gru = nn.GRU(10, 16, num_layers=2, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, frames: Tensor) -> Tensor:
        outputs, _ = self.gru(frames)
        return self.head(outputs[:, -1])


class BiGruTagger(nn.Module):
    """Both directions, time first inside, a long sequence. (batch, 64, 10) → (batch, 64, 5)."""

    inputs = (LONG_FRAMES,)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.gru = nn.GRU(10, 48, bidirectional=True)
        self.head = nn.Linear(96, 5)

    def forward(self, frames: Tensor) -> Tensor:
        outputs, _ = self.gru(frames.transpose(0, 1))
        return self.head(outputs).transpose(0, 1)


class PlainRnn(nn.Module):
    """A ReLU RNN whose initial state is learned. (batch, 12, 10) → (batch, 5)."""

    inputs = (FRAMES,)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.start = nn.Parameter(torch.randn(1, 1, 16) * 0.1)
        self.rnn = nn.RNN(10, 16, nonlinearity="relu", batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, frames: Tensor) -> Tensor:
        start = self.start.expand(-1, frames.shape[0], -1).contiguous()
        outputs, last = self.rnn(frames, start)
        return self.head(last[0] + outputs.mean(dim=1))


class NameRnn(nn.Module):
    """The tutorial's RNN that reads a name letter by letter: cat, Linear, tanh in a Python loop. (batch, 18)."""

    inputs = (FRAMES,)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.to_hidden = nn.Linear(10 + 24, 24)
        self.to_output = nn.Linear(24, 18)

    def forward(self, frames: Tensor) -> Tensor:
        hidden = frames.new_zeros(frames.shape[0], 24)
        for frame in frames.unbind(1):
            hidden = torch.tanh(self.to_hidden(torch.cat([frame, hidden], dim=1)))
        return functional.log_softmax(self.to_output(hidden), dim=1)


class CharRnn(nn.Module):
    """A character model: embedding, two LSTM layers, scores of the next character. (batch, 20) → (batch, 20, 64)."""

    inputs = (CHARACTERS,)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.embed = nn.Embedding(64, 12)
        self.lstm = nn.LSTM(12, 32, num_layers=2, batch_first=True)
        self.head = nn.Linear(32, 64)

    def forward(self, ids: Tensor) -> Tensor:
        outputs, _ = self.lstm(self.embed(ids))
        return self.head(outputs)


class LstmCellLoop(nn.Module):
    """An ``LSTMCell`` stepped by hand, as decoders do. (batch, 12, 10) → (batch, 12, 16)."""

    inputs = (FRAMES,)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(8)
        self.cell = nn.LSTMCell(10, 16)

    def forward(self, frames: Tensor) -> Tensor:
        state = None
        outputs = []
        for step in range(frames.shape[1]):
            state = self.cell(frames[:, step], state)
            outputs.append(state[0])
        return torch.stack(outputs, dim=1)


class CaptionEncoder(nn.Module):
    """The CNN of a captioner, as small as can be: an image's embedding. (batch, 3, 32, 32) → (batch, 24)."""

    inputs = (PICTURE,)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(9)
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )
        self.embed = nn.Linear(16, 24)

    def forward(self, image: Tensor) -> Tensor:
        return self.embed(self.features(image).flatten(1))


class CaptionStep(nn.Module):
    """One step of a captioner's decoder, its states given and given back: what a phone calls word by word."""

    inputs = (WORD, InputSpec("hidden", ("N", 1, 32)), InputSpec("cell", ("N", 1, 32)))

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(10)
        self.embed = nn.Embedding(100, 24)
        self.lstm = nn.LSTM(24, 32, batch_first=True)
        self.head = nn.Linear(32, 100)

    def forward(self, word: Tensor, hidden: Tensor, cell: Tensor) -> dict[str, Tensor]:
        state = (hidden.transpose(0, 1).contiguous(), cell.transpose(0, 1).contiguous())
        outputs, (hidden, cell) = self.lstm(self.embed(word), state)
        scores = self.head(outputs[:, 0])
        return {"scores": scores, "next_hidden": hidden.transpose(0, 1), "next_cell": cell.transpose(0, 1)}


class Captioner(nn.Module):
    """Encoder and decoder in one, as they are trained: the image is the first word. Scores (batch, 9, 100)."""

    inputs = (PICTURE, CAPTION)

    def __init__(self) -> None:
        super().__init__()
        self.encoder = CaptionEncoder()
        self.decoder = CaptionStep()

    def forward(self, image: Tensor, words: Tensor) -> Tensor:
        first = self.encoder(image).unsqueeze(1)
        outputs, _ = self.decoder.lstm(torch.cat([first, self.decoder.embed(words)], dim=1))
        return self.decoder.head(outputs)


class ModularNet(nn.Module):
    """One of two modules, chosen by the data with ``torch.cond``. (batch, 8) → (batch, 8)."""

    inputs = (FEATURES,)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(11)
        self.stem = nn.Linear(8, 8)
        self.find = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
        self.describe = nn.Sequential(nn.Linear(8, 8), nn.Tanh())

    def forward(self, features: Tensor) -> Tensor:
        x = self.stem(features)
        return torch.cond(x.sum() > 0, self.find, self.describe, (x,))


class SettlingNet(nn.Module):
    """A layer applied until its output hardly changes, with torch's ``while_loop``. (batch, 8) → (batch, 8)."""

    inputs = (FEATURES,)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(14)
        self.layer = nn.Linear(8, 8)

    def forward(self, features: Tensor) -> Tensor:
        def unsettled(turn: Tensor, x: Tensor) -> Tensor:
            return (turn < 6) & ((torch.tanh(self.layer(x)) - x).abs().sum() > 0.05)

        def again(turn: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
            return turn + 1, torch.tanh(self.layer(x))

        loop = torch._higher_order_ops.while_loop
        return loop(unsettled, again, (torch.zeros((), dtype=torch.int64), features))[1]


class TreeNet(nn.Module):
    """A tree-structured net over a sentence whose parse is fixed: leaves are embedded, pairs are merged by one cell.

    The recursion runs while the graph is captured, so the tree is written out. (batch, 7) int64 → (batch, 3).
    """

    inputs = (LEAVES,)
    tree = ((0, 1), ((2, (3, 4)), (5, 6)))

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(12)
        self.embed = nn.Embedding(50, 12)
        self.merge = nn.Linear(24, 36)
        self.head = nn.Linear(12, 3)

    def forward(self, leaves: Tensor) -> Tensor:
        return self.head(self._node(self.tree, self.embed(leaves)))

    def _node(self, node: int | tuple, words: Tensor) -> Tensor:  # type: ignore[type-arg]
        if isinstance(node, int):
            return words[:, node]
        left, right = (self._node(child, words) for child in node)
        left_gate, right_gate, fresh = self.merge(torch.cat([left, right], dim=1)).chunk(3, dim=1)
        return torch.tanh(torch.sigmoid(left_gate) * left + torch.sigmoid(right_gate) * right + torch.tanh(fresh))


class ShiftReduceTree(nn.Module):
    """The same net where the parse is an input: Python reads each node, which no graph can hold. To be refused."""

    inputs = (LEAVES, InputSpec("parents", (3, 2), dtype="int64", low=0, high=6))

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(13)
        self.embed = nn.Embedding(50, 12)
        self.merge = nn.Linear(24, 12)

    def forward(self, leaves: Tensor, parents: Tensor) -> Tensor:
        nodes = list(self.embed(leaves).unbind(1))
        for left, right in parents.tolist():
            nodes.append(torch.tanh(self.merge(torch.cat([nodes[left], nodes[right]], dim=1))))
        return nodes[-1]
