"""Digits to classify, and canvases of digits to segment and to find; what is trained on is never judged on.

The 1,797 digits of scikit-learn are divided once; canvases are put together from the digits of one part each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from net import digits

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


PARTS = {
    "evaluation": slice(0, 597),
    "calibration": slice(597, 725),
    "training": slice(797, None),
    "search": slice(725, 797),
}
"""``search`` is for what is tried until it is good enough: an accuracy budget must not look at what judges it."""
CANVASES = {"evaluation": 400, "calibration": 128, "training": 2000, "search": 400}
MOVE = 2
"""Pixels, either way: the few digits to search with are shown at nine places each."""
NOISE = 0.15
INK = 0.3
"""Pixels above it belong to the digit."""
MOST_DIGITS = 3
NOTHING = -1.0


@dataclass(frozen=True)
class Data:
    """``image`` (n, 1, side, side) in 0..1, and what is true of each."""

    image: Floats
    truth: npt.NDArray[np.generic]


@dataclass(frozen=True)
class Scenes:
    """Canvases and what is on them.

    ``image`` (n, 1, side, side) in 0..1 · ``mask`` (n, side, side): 0 background, 1 + digit ·
    ``boxes`` (n, 3, 5): left, top, right, bottom in pixels and the digit; -1 where there is none.
    """

    image: Floats
    mask: Integers
    boxes: Floats


def single_digits(part: str) -> Data:
    """Digits of 32 × 32 pixels and their labels (n,); those to search with are moved about."""
    images, labels = (array[PARTS[part]] for array in digits(32))
    if part != "search":
        return Data(images, labels)
    side, places = images.shape[-1], (0, MOVE, 2 * MOVE)
    wide = np.pad(images, ((0, 0), (0, 0), (MOVE, MOVE), (MOVE, MOVE)))
    moved = [wide[..., top : top + side, left : left + side] for top in places for left in places]
    return Data(np.concatenate(moved), np.tile(labels, len(moved)))


def masks_of_canvases(part: str) -> Data:
    """Canvases of 32 × 32 pixels with up to two digits, and the class of each pixel."""
    made = scenes(part, CANVASES[part], 32, sizes=(14, 16, 18), most=2)
    return Data(made.image, made.mask)


def boxes_on_canvases(part: str) -> Data:
    """Canvases of 64 × 64 pixels with up to three digits, and their boxes."""
    made = scenes(part, CANVASES[part], 64, sizes=(16, 18, 20, 22, 24, 26), most=MOST_DIGITS)
    return Data(made.image, made.boxes)


def scenes(part: str, count: int, side: int, *, sizes: tuple[int, ...], most: int) -> Scenes:
    """Canvases of one to ``most`` digits of that part, of several sizes, none over another, on noise."""
    random = np.random.default_rng([count, side, list(PARTS).index(part)])
    enlarged = {size: digits(size)[0][PARTS[part], 0] for size in sizes}
    labels = digits()[1][PARTS[part]]
    image = random.uniform(0, NOISE, (count, 1, side, side)).astype(np.float32)
    mask = np.zeros((count, side, side), np.int64)
    boxes = np.full((count, MOST_DIGITS, 5), NOTHING, np.float32)
    for at in range(count):
        for place in range(int(random.integers(1, most + 1))):
            size, chosen = int(random.choice(sizes)), int(random.integers(len(labels)))
            left, top = random.integers(0, side - size + 1, 2)
            there = np.s_[top : top + size, left : left + size]
            if mask[at][there].any():
                continue
            digit = enlarged[size][chosen]
            image[at, 0][there] = np.maximum(image[at, 0][there], digit)
            ink = digit > INK
            mask[at][there][ink] = 1 + labels[chosen]
            rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
            box = (left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1)
            boxes[at, place] = (*box, labels[chosen])
    return Scenes(image, mask, boxes)
