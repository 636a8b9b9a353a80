"""The int8 subjects are trained, calibrated and judged on different digits, and their measures measure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "int8"


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE.parent / "digits"))
    monkeypatch.syspath_prepend(str(EXAMPLE))


def test_one_net_in_miniature_leaves_its_weights_and_its_data(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLE / "train.py", "plain_cnn", "--samples", "64", "--folder", tmp_path]
    first = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "plain_cnn" in first
    assert "top-1" in first
    with (
        np.load(tmp_path / "digits_calibration.npz") as calibration,
        np.load(tmp_path / "digits_evaluation.npz") as held,
    ):
        assert calibration["image"].shape == (128, 1, 32, 32)
        assert held["image"].shape == (597, 1, 32, 32)
        assert held["truth"].shape == (597,)
    weights = (tmp_path / "plain_cnn.pth").read_bytes()
    again = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "is there" in again
    assert (tmp_path / "plain_cnn.pth").read_bytes() == weights


def test_no_digit_is_in_two_parts() -> None:
    from scenes import PARTS

    places = np.concatenate([np.arange(1797)[part] for part in PARTS.values()])
    assert sorted(places) == list(range(1797))


def test_a_canvas_says_where_its_digits_are() -> None:
    from scenes import INK, NOISE, scenes

    made = scenes("calibration", 20, 64, sizes=(16, 24), most=3)
    for image, mask, boxes in zip(made.image[:, 0], made.mask, made.boxes, strict=True):
        there = boxes[boxes[:, 4] >= 0].astype(int)
        assert len(there) >= 1
        assert ((mask > 0) == (image > INK)).all()
        assert image[mask == 0].max() > NOISE / 2
        for left, top, right, bottom, digit in there:
            inside = mask[top:bottom, left:right]
            assert set(np.unique(inside)) <= {0, digit + 1}
            assert inside.any(axis=0)[[0, -1]].all()
            assert inside.any(axis=1)[[0, -1]].all()


def test_a_repvgg_computes_the_same_merged_as_with_its_branches() -> None:
    import torch
    from convolutional import RepVgg, merged

    torch.manual_seed(0)
    trained = RepVgg(branches=True)
    images = torch.rand(8, 1, 32, 32)
    trained(images)  # moves the statistics of every batch norm off their defaults
    trained.eval()
    with torch.no_grad():
        torch.testing.assert_close(merged(trained)(images), trained(images), rtol=1e-4, atol=1e-5)
