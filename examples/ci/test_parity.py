"""Parity beside a project's other tests: run ``pytest`` where ``models/`` is."""

from __future__ import annotations

import numpy as np
import pytest

from verify.pytest_parity import ParityError, assert_parity


def test_the_edited_model_is_still_the_same_model():
    assert_parity("models/net.onnx", "models/net_edited.onnx", report="parity-report")


def test_also_on_our_own_data_and_no_worse_than_recorded():
    random = np.random.default_rng(1)
    data = {"image": random.normal(size=(6, 3, 8, 6)).astype(np.float32), "token": np.arange(6)}
    assert_parity("models/net.onnx", "models/net_edited.onnx", data)


def test_a_spoiled_model_would_be_noticed():
    with pytest.raises(ParityError, match="over tolerance"):
        assert_parity("models/net.onnx", "models/net_spoiled.onnx")
