"""One net of each kind that torchvision has: exact at batch 1, 2 and 5 in onnxruntime, the SavedModel and LiteRT."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import lowering_jobs
import pytest
import torchvision_jobs
from lowering_jobs import ModelOutcome

from convert.stages.lower import OnnxToSavedModel
from verify.worker import Worker

RIGHT_DB = 90.0
DETECTORS = Path(__file__).parent.parent / "detectors.py"


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Worker, Worker]]:
    logs = tmp_path_factory.mktemp("logs")
    with (
        Worker("torch", log_path=logs / "torch.log", preload=("torch",)) as torch,
        Worker("tensorflow", log_path=logs / "tensorflow.log", preload=("tensorflow",)) as tensorflow,
    ):
        yield torch, tensorflow


Convert = Callable[..., ModelOutcome]


@pytest.fixture
def convert(workers: tuple[Worker, Worker], tmp_path: Path) -> Convert:
    def run(arch: str, *inputs: str, part: str = "") -> ModelOutcome:
        torch, tensorflow = workers
        exported = torch.run(torchvision_jobs.export, arch=arch, inputs=inputs, folder=tmp_path, part=part).value
        assert exported.worst_db >= RIGHT_DB
        stage = OnnxToSavedModel(lowering="exact").to_json()
        outcome = tensorflow.run(
            lowering_jobs.convert_and_compare, onnx_path=exported.path, folder=tmp_path, stage=stage
        ).value
        assert outcome.saved_model_db >= RIGHT_DB
        assert outcome.tflite_db >= RIGHT_DB
        assert {spec.name for spec in outcome.signature.outputs} == set(exported.outputs)
        return outcome

    return run


def test_a_one_stage_detector_converts_up_to_its_post_processing(convert: Convert) -> None:
    outcome = convert(f"{DETECTORS}:retinanet")

    assert [spec.shape for spec in outcome.signature.outputs] == [("N", 252, 4), ("N", 252, 4)]


def test_both_stages_of_a_two_stage_detector_convert(convert: Convert, tmp_path: Path) -> None:
    outcome = convert(f"{DETECTORS}:faster_rcnn")

    features = outcome.signature.output("features_0")
    assert features.shape == ("N", 8, 8, 32)
    assert features.permutation == (0, 2, 3, 1)
    assert (tmp_path / "net.detector.json").is_file()
    assert (tmp_path / "net.anchors.npy").is_file()


def test_a_box_head_takes_any_number_of_regions(convert: Convert) -> None:
    outcome = convert(f"{DETECTORS}:faster_rcnn", part="box_head")

    assert outcome.signature.input("roi_features").shape == ("N", 7, 7, 32)
    assert outcome.signature.output("class_logits").shape == ("N", 4)


def test_a_segmentation_net_gives_its_map(convert: Convert) -> None:
    outcome = convert("torchvision:lraspp_mobilenet_v3_large", "image=N,3,32,32")

    assert outcome.signature.output("out").shape == ("N", 32, 32, 21)


def test_a_video_net_keeps_its_clips_channels_last(convert: Convert) -> None:
    outcome = convert("torchvision:mc3_18", "clip=N,3,4,16,16")

    assert outcome.signature.input("clip").shape == ("N", 4, 16, 16, 3)
    assert "TRANSPOSE" not in outcome.tflite_ops


def test_optical_flow_takes_two_pictures(convert: Convert) -> None:
    outcome = convert(f"{DETECTORS}:short_raft", "image1=N,3,128,128", "image2=N,3,128,128")

    assert [spec.name for spec in outcome.signature.inputs] == ["image1", "image2"]
    assert [spec.shape for spec in outcome.signature.outputs] == [("N", 128, 128, 2)] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("swin3d_t", ("clip=N,3,4,32,32",)),
        ("r2plus1d_18", ("clip=N,3,4,32,32",)),
        ("s3d", ("clip=N,3,16,224,224",)),
        ("mvit_v1_b", ("clip=N,3,16,224,224",)),
        ("mvit_v2_s", ("clip=N,3,16,224,224",)),
        ("deeplabv3_mobilenet_v3_large", ("image=N,3,64,64",)),
        ("ssdlite320_mobilenet_v3_large", ()),
        ("ssd300_vgg16", ()),
        ("fcos_resnet50_fpn", ("image=N,3,128,128",)),
        ("retinanet_resnet50_fpn_v2", ("image=N,3,128,128",)),
        ("fasterrcnn_mobilenet_v3_large_320_fpn", ()),
        ("maskrcnn_resnet50_fpn_v2", ("image=N,3,128,128",)),
        ("keypointrcnn_resnet50_fpn", ("image=N,3,128,128",)),
        ("raft_small", ("image1=N,3,128,128", "image2=N,3,128,128")),
    ],
)
def test_it_converts_exactly(convert: Convert, name: str, inputs: tuple[str, ...]) -> None:
    convert(f"torchvision:{name}", *inputs)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["box_head", "mask_head"])
def test_a_head_of_the_real_one_converts_exactly(convert: Convert, part: str) -> None:
    convert("torchvision:maskrcnn_resnet50_fpn_v2", part=part)
