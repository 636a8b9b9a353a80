"""Images reach the model exactly as torchvision's own transforms would bring them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from verify.samples import ImageFolder, ImagePreprocessing, InputSpec
from verify.samples.load import load

CASES = {
    "imagenet": ImagePreprocessing(40, 32),
    "bicubic": ImagePreprocessing(37, 37, interpolation="bicubic"),
    "padded": ImagePreprocessing(24, 31, (0.5, 0.5, 0.5), (0.25, 0.5, 0.75)),
}
SIZES = ((61, 47), (47, 61), (40, 40), (33, 90), (90, 33), (50, 40))

REFERENCE = """
import sys, json
import numpy as np
from pathlib import Path
from PIL import Image
from verify.checkpoint.torchvision_shim import import_torchvision
import_torchvision()
from torchvision.transforms import functional as F
folder, cases = Path(sys.argv[1]), json.loads(sys.argv[2])
out = {}
for name, case in cases.items():
    for path in sorted(folder.glob("*.png")):
        image = Image.open(path).convert("RGB")
        image = F.resize(image, case["resize"], F.InterpolationMode(case["interpolation"]))
        tensor = F.to_tensor(F.center_crop(image, case["crop"]))
        out[f"{name}/{path.name}"] = F.normalize(tensor, case["mean"], case["std"]).numpy()
np.savez(folder / "reference.npz", **out)
"""


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    import dataclasses
    import json

    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for index, (width, height) in enumerate(SIZES):
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(folder / f"{index}.png")
    cases = json.dumps({name: dataclasses.asdict(case) for name, case in CASES.items()})
    subprocess.run([sys.executable, "-c", REFERENCE, str(folder), cases], check=True)
    with np.load(folder / "reference.npz") as arrays:
        return folder, dict(arrays)


@pytest.mark.parametrize("case", CASES)
def test_preprocessing_is_torchvisions_to_the_last_bit(reference, case):
    folder, expected = reference
    spec = InputSpec("image", ("N", 3, CASES[case].crop, CASES[case].crop), preprocessing=CASES[case])
    for index, sample in enumerate(load(ImageFolder(folder), (spec,))):
        np.testing.assert_array_equal(sample["image"][0], expected[f"{case}/{index}.png"])
    assert index == len(SIZES) - 1
