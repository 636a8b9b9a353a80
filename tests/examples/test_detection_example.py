"""The numpy post-processing finds what torchvision's own finds, from the outputs of the network that is converted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from convert.export.detector_files import ANCHORS_SUFFIX, SETTINGS_SUFFIX, write_detector_files
from verify.checkpoint import open_model
from verify.checkpoint.torchvision_shim import import_torchvision
from verify.model import ModelSource

torchvision = import_torchvision()
import detectors  # noqa: E402 - torchvision has to be made importable first

EXAMPLE = Path(__file__).parents[2] / "examples" / "detection"


@pytest.fixture(autouse=True)
def torchvision_in_plain_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its suppression without its compiled operators, which a CPU-only torch does not load."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.setattr(torchvision.ops.boxes, "nms", _suppress)


def _suppress(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Non-maximum suppression by its definition."""
    left = scores.argsort(descending=True, stable=True).tolist()
    overlap = torchvision.ops.box_iou(boxes, boxes)
    kept = []
    while left:
        kept.append(left.pop(0))
        left = [other for other in left if not overlap[kept[-1], other] > iou_threshold]
    return torch.tensor(kept, dtype=torch.int64)


@pytest.fixture
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    net = getattr(detectors, request.param)()
    torch.save(net.state_dict(), tmp_path / "net.pth")
    return open_model(ModelSource(tmp_path / "net.pth", arch=f"{detectors.__file__}:{request.param}"))


def _found(opened: Any, image: torch.Tensor, folder: Path) -> tuple[Any, dict[str, Any]]:
    """What numpy makes of the network's outputs and the files that stand beside its ONNX file."""
    import one_stage
    import two_stage

    assert write_detector_files(opened, folder / "net.onnx") == ()
    detector = json.loads((folder / f"net{SETTINGS_SUFFIX}").read_text())
    anchors = np.load(folder / f"net{ANCHORS_SUFFIX}")
    with torch.no_grad():
        outputs = {name: _stored(value) for name, value in opened.module(image[None]).items()}
    if detector["kind"] != "rcnn":
        return one_stage.detect(outputs, detector, anchors), detector
    heads = opened.detector.roi_heads

    def head(pooled: np.ndarray) -> dict[str, np.ndarray]:
        with torch.no_grad():
            logits, offsets = heads.box_predictor(heads.box_head(torch.from_numpy(pooled).permute(0, 3, 1, 2)))
        return {"class_logits": logits.numpy(), "box_regression": offsets.numpy()}

    return two_stage.detect(outputs, head, detector, anchors), detector


def _stored(value: torch.Tensor) -> np.ndarray:
    """As the TFLite file gives it: image-like tensors channels-last."""
    return (value.permute(0, 2, 3, 1) if value.dim() == 4 else value).numpy()


@pytest.mark.parametrize("opened", ["ssd", "retinanet", "fcos"], indirect=True)
def test_numpy_finds_what_torchvision_finds(opened: Any, tmp_path: Path) -> None:
    image = torch.rand(3, detectors.SIDE, detectors.SIDE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        expected = opened.detector([image])[0]

    found, _ = _found(opened, image, tmp_path)

    assert len(found.boxes) == len(expected["boxes"]) > 5
    assert found.labels.tolist() == expected["labels"].tolist()
    np.testing.assert_allclose(found.scores, expected["scores"], rtol=1e-4)
    np.testing.assert_allclose(found.boxes, expected["boxes"], atol=1e-3)


def test_regions_are_pooled_as_torchvision_pools_them() -> None:
    import two_stage

    random = np.random.default_rng(0)
    level = random.standard_normal((9, 7, 3)).astype(np.float32)
    first = random.uniform(0, 5, (40, 2)).astype(np.float32)
    boxes = np.concatenate([first, np.minimum(first + random.uniform(1, 6, (40, 2)), (7, 9))], axis=1, dtype=np.float32)
    with torch.compiler.set_stance("force_eager"):
        expected = torchvision.ops.roi_align(
            torch.from_numpy(level).permute(2, 0, 1)[None], [torch.from_numpy(boxes)], (5, 5), sampling_ratio=2
        )

    pooled = np.stack([two_stage.roi_align(level, box, 5, 2) for box in boxes])

    np.testing.assert_allclose(pooled, expected.permute(0, 2, 3, 1), atol=1e-5)
