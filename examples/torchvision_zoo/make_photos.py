"""Write photographs for zoo.toml: random crops of the two that scikit-learn ships, to calibrate on and to judge on.

Run it with `python examples/torchvision_zoo/make_photos.py`; what it makes goes to build/ beside the manifest.
Two photographs are enough to try the zoo; for models that you ship, put a few hundred of your own there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

BUILD = Path(__file__).resolve().parent / "build"
SIDE = 384
"""Pixels; each model's own preprocessing makes it the size that the model takes."""
LEAST_CROP = 320
"""Smaller ones are nothing but sky, to which random nets answer with outputs of another size."""


def main() -> None:
    write_crops(BUILD / "calibration", count=64, seed=0)
    write_crops(BUILD / "evaluation", count=32, seed=1)


def write_crops(folder: Path, count: int, seed: int) -> None:
    """Square PNGs from anywhere in the photographs, about every second one mirrored."""
    photos = [Image.fromarray(photo) for photo in load_sample_images().images]
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        photo = photos[index % len(photos)]
        side = int(random.integers(LEAST_CROP, min(photo.size) + 1))
        left = int(random.integers(0, photo.width - side + 1))
        top = int(random.integers(0, photo.height - side + 1))
        crop = photo.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
        if random.random() < 0.5:
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        crop.save(folder / f"{index:04d}.png")


if __name__ == "__main__":
    main()
