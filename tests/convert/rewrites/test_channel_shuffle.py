from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from rewritten import Rewritten


class Text:
    """A net in ONNX's text form, with convolutions whose weights come from a seed."""

    def __init__(self, channels: int = 8) -> None:
        self.channels = channels
        self.body = ""
        self.weights: dict[str, np.ndarray] = {}
        self.number = count()

    def name(self) -> str:
        return f"v{next(self.number)}"

    def add(self, text: str) -> str:
        name = self.name()
        self.body += f"{name} = {text}\n"
        return name

    def weight(self, *shape: int) -> str:
        name = self.name()
        self.weights[name] = np.random.default_rng(len(self.weights)).standard_normal(shape).astype(np.float32)
        return name

    def conv(self, x: str, into: int, out: int) -> str:
        return self.add(f"Relu({self.add(f'Conv({x}, {self.weight(out, into, 1, 1)}, {self.weight(out)})')})")

    def depthwise(self, x: str, channels: int) -> str:
        weight, bias = self.weight(channels, 1, 3, 3), self.weight(channels)
        return self.add(
            f"Conv <group = {channels}, kernel_shape = [3, 3], pads = [1, 1, 1, 1]> ({x}, {weight}, {bias})"
        )

    def shuffle(self, x: str, channels: int, groups: int = 2) -> str:
        cut = self.add(f"Constant <value_ints = [-1, {groups}, {channels // groups}, 4, 4]> ()")
        back = self.add(f"Constant <value_ints = [-1, {channels}, 4, 4]> ()")
        swapped = self.add(f"Transpose <perm = [0, 2, 1, 3, 4]> ({self.add(f'Reshape({x}, {cut})')})")
        return self.add(f"Reshape({swapped}, {back})")

    def halves(self, x: str) -> tuple[str, str]:
        left, right = self.name(), self.name()
        self.body += f"{left}, {right} = Split <axis = 1, num_outputs = 2> ({x})\n"
        return left, right

    def join(self, *parts: str) -> str:
        return self.add(f"Concat <axis = 1> ({', '.join(parts)})")

    def net(self, *outputs: str, width: int) -> Rewritten:
        declared = ", ".join(f"float[N, {width}, 4, 4] {output}" for output in outputs)
        return Rewritten(f"net (float[N, 3, 4, 4] x) => ({declared}) {{ {self.body} }}", **self.weights)


def stage(text: Text, blocks: int, width: int = 8) -> str:
    """ShuffleNetV2's: half of the channels goes through, half past each block."""
    x = text.join(text.conv("x", 3, width), text.conv("x", 3, width))
    for _ in range(blocks):
        past, through = text.halves(text.shuffle(x, 2 * width))
        x = text.join(past, text.conv(text.depthwise(text.conv(through, width, width), width), width, width))
    return text.shuffle(x, 2 * width)


@pytest.mark.parametrize("blocks", [1, 2, 3, 6])
def test_a_stage_of_shufflenet_shuffles_nothing(blocks):
    text = Text()
    case = text.net(text.conv(stage(text, blocks), 16, 5), width=5)
    assert not {"Reshape", "Transpose"} & set(case.ops)
    assert case.ops["Split"] <= blocks + 2
    assert case.difference() < 1e-5


def test_an_order_goes_through_channel_by_channel_layers_to_the_next_convolution():
    text = Text()
    shuffled = text.shuffle(text.join(text.conv("x", 3, 6), text.conv("x", 3, 6)), 12, groups=3)
    pooled = text.add(f"MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> ({text.depthwise(shuffled, 12)})")
    case = text.net(text.conv(pooled, 12, 5), text.conv(shuffled, 12, 5), width=5)
    assert "Transpose" not in case.ops
    assert case.difference() < 1e-5


def test_a_convolution_shuffled_alone_is_reordered_alone():
    text = Text()
    case = text.net(text.conv(text.shuffle(text.conv("x", 3, 12), 12, groups=4), 12, 5), width=5)
    assert case.ops == {"Conv": 2, "Relu": 2}
    assert case.difference() < 1e-5


def test_a_split_of_a_vector_is_no_business_of_channels():
    """Attention with its projections in one cuts their bias."""
    text = Text()
    bias, rest = text.name(), text.name()
    text.body += f"{bias}, {rest} = Split <axis = 0, num_outputs = 2> ({text.weight(16)})\n"
    x = text.add(f"Conv(x, {text.weight(8, 3, 1, 1)}, {bias})")
    case = text.net(text.conv(text.shuffle(x, 8), 8, 5), width=5)
    assert case.difference() < 1e-5


def declined(case: Rewritten) -> str:
    return next(note.reason for note in case.notes if note.rewrite == "channel_shuffle" and not note.applied)


def test_a_source_that_others_read_keeps_its_order():
    text = Text()
    source = text.conv("x", 3, 12)
    case = text.net(text.conv(text.shuffle(source, 12), 12, 12), text.add(f"Neg({source})"), width=12)
    assert case.ops["Transpose"] == 1
    assert "order of channels is free" in declined(case)
    assert case.difference() < 1e-6


def test_a_reader_that_adds_keeps_the_order_that_it_sees():
    text = Text()
    shuffled = text.shuffle(text.conv("x", 3, 12), 12)
    case = text.net(text.add(f"Add({text.conv(shuffled, 12, 12)}, {shuffled})"), width=12)
    assert case.ops["Transpose"] == 1
    assert "is read by more than convolutions" in declined(case)
    assert case.difference() < 1e-6


def test_an_input_of_the_net_keeps_its_order():
    text = Text()
    wide = text.shuffle("x", 3, groups=3)
    case = text.net(text.conv(wide, 3, 5), width=5)
    assert "order of channels is free" in declined(case)
    assert case.difference() < 1e-6


def test_a_grouped_convolution_keeps_the_order_that_it_sees():
    text = Text()
    shuffled = text.shuffle(text.conv("x", 3, 12), 12)
    weight = text.weight(12, 6, 1, 1)
    case = text.net(text.add(f"Conv <group = 2> ({shuffled}, {weight})"), width=12)
    assert case.ops["Transpose"] == 1
    assert case.difference() < 1e-6


def test_channels_that_nobody_reads_are_harmless():
    text = Text()
    past, _ = text.halves(text.shuffle(text.join(text.conv("x", 3, 8), text.conv("x", 3, 8)), 16))
    case = text.net(text.conv(past, 8, 5), width=5)
    assert "Transpose" not in case.ops
    assert case.difference() < 1e-5


def test_joins_without_a_shuffle_stay():
    text = Text()
    left, right = text.halves(text.join(text.conv("x", 3, 8), text.conv("x", 3, 8)))
    case = text.net(text.conv(left, 8, 5), text.conv(right, 8, 5), width=5)
    assert case.ops["Concat"] == 1
    assert case.difference() == 0


def test_weights_that_two_layers_share_are_reordered_for_one():
    text = Text()
    weight = text.weight(5, 12, 1, 1)
    shuffled = text.shuffle(text.conv("x", 3, 12), 12)
    case = text.net(
        text.add(f"Conv({shuffled}, {weight})"), text.add(f"Conv({text.conv('x', 3, 12)}, {weight})"), width=5
    )
    assert "Transpose" not in case.ops
    assert case.difference() < 1e-5
