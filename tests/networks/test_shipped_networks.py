"""The networks that people ship, from a bare state_dict, through the whole command: tens of minutes."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "benchmarks"))

from networks import NETWORKS, NetworkResult, convert_network

pytestmark = pytest.mark.slow

CASES = [*((name, False) for name in NETWORKS), ("densenet121", True)]


@functools.cache
def result(name: str, legacy: bool = False, lowering: str = "auto") -> NetworkResult:
    with TemporaryDirectory() as folder:
        return convert_network(name, Path(folder), legacy=legacy, lowering=lowering)


@pytest.mark.parametrize(("name", "legacy"), CASES)
def test_it_is_recognised_without_arch(name: str, legacy: bool) -> None:
    assert result(name, legacy).recognised == f"torchvision:{name}"


@pytest.mark.parametrize(("name", "legacy"), CASES)
def test_float_files_are_within_the_noise_floor_and_90_db(name: str, legacy: bool) -> None:
    found = result(name, legacy)
    assert min(found.onnx_db, found.saved_model_db, found.float32_db) >= 90
    assert found.worst_floor_multiple <= 16


@pytest.mark.parametrize(("name", "legacy"), CASES)
def test_int8_loads_and_is_nowhere_worse_than_by_hand(name: str, legacy: bool) -> None:
    found = result(name, legacy)
    assert found.int8_loads
    assert found.int8_to_float32_db >= found.int8_by_hand_db


def test_resnet18_keeps_20_db_in_int8() -> None:
    assert result("resnet18").int8_db >= 20


@pytest.mark.parametrize("name", [name for name in NETWORKS if not name.startswith("shufflenet")])
def test_a_plain_cnn_has_no_transpose(name: str) -> None:
    assert result(name).transposes == 0


@pytest.mark.parametrize("name", ["alexnet", "mobilenet_v2", "densenet121"])
def test_through_onnx2tf_the_same_holds(name: str) -> None:
    found = result(name, lowering="onnx2tf")
    assert min(found.onnx_db, found.saved_model_db, found.float32_db) >= 90
    assert found.worst_floor_multiple <= 16
    assert found.int8_loads
    assert found.int8_to_float32_db >= found.int8_by_hand_db
