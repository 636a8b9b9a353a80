"""A bare state_dict says which architecture it is, by its tensors alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

from verify.checkpoint.construction import on_meta
from verify.checkpoint.index import load_index
from verify.checkpoint.recognise import Recognised, recognise
from verify.checkpoint.torchvision_shim import import_torchvision
from verify.errors import ArchitectureUnknown

Shape = tuple[int, ...]
PROMISED = [
    "alexnet", "vgg16", "resnet18", "resnet50", "inception_v3", "googlenet", "densenet121", "mobilenet_v2",
    "mobilenet_v3_small", "squeezenet1_1", "shufflenet_v2_x1_0", "mnasnet0_5", "efficientnet_b0", "regnet_y_400mf",
]  # fmt: skip


def shapes_of(name: str, **options: object) -> dict[str, Shape]:
    """The state_dict's shapes as torchvision itself would save it, bookkeeping and auxiliary heads included."""
    import inspect

    models = import_torchvision().models
    if "weights_backbone" in inspect.signature(models.get_model_builder(name)).parameters:
        options["weights_backbone"] = None
    net = built(lambda: models.get_model(name, weights=None, **options))
    return {key: tuple(tensor.shape) for key, tensor in net.state_dict().items()}


def built(make: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    try:
        return on_meta(make)
    except RuntimeError:  # SSDLite's constructor computes with its parameters
        return make()


def found(shapes: Mapping[str, Shape], file_name: str = "model.pth") -> Recognised:
    return recognise(Path(file_name), [shapes])


@pytest.mark.parametrize("classes", [10, 1000])
@pytest.mark.parametrize("name", PROMISED)
def test_net_is_recognised_with_its_number_of_classes(name: str, classes: int) -> None:
    match = found(shapes_of(name, num_classes=classes))
    assert match.architecture.title == f"torchvision:{name}"
    assert match.classes == classes
    assert match.input_channels == 3


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_heads_may_be_absent(name: str) -> None:
    with_heads = found(shapes_of(name, num_classes=7))
    without = found(shapes_of(name, num_classes=7, aux_logits=False))
    assert with_heads.architecture == without.architecture
    assert with_heads.dropped
    assert not without.dropped


def test_auxiliary_head_may_keep_the_classes_of_its_pretraining() -> None:
    shapes = shapes_of("inception_v3", num_classes=1000) | {"fc.weight": (10, 2048), "fc.bias": (10,)}
    assert found(shapes).classes == 10


def test_segmentation_net_is_recognised_with_and_without_its_auxiliary_head() -> None:
    for auxiliary in (False, True):
        shapes = shapes_of("fcn_resnet50", num_classes=5, aux_loss=auxiliary)
        match = found(shapes)
        assert (match.architecture.name, match.architecture.task, match.classes) == ("fcn_resnet50", "segmentation", 5)


def test_old_densenet_spelling_is_recognised_without_num_batches_tracked() -> None:
    import re

    current = shapes_of("densenet121", num_classes=10)
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key): shape
        for key, shape in current.items()
        if not key.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    match = found(old)
    assert match.architecture.name == "densenet121"
    assert (
        match.keys["features.denseblock1.denselayer1.norm1.weight"] == "features.denseblock1.denselayer1.norm.1.weight"
    )


def test_version_1_stem_of_mnasnet_is_told_from_todays() -> None:
    index = load_index("torchvision")
    stems = {a.variant: index.shapes_of(a)["layers.0.weight"] for a in index.named("mnasnet0_5")}
    assert stems == {"": "16,i,3,3", "version-1 stem": "32,i,3,3"}


def test_input_channels_come_from_the_first_layer() -> None:
    shapes = shapes_of("resnet18", num_classes=10) | {"conv1.weight": (64, 1, 7, 7)}
    assert found(shapes).input_channels == 1


def test_image_size_of_a_vision_transformer_comes_from_its_positions() -> None:
    match = found(shapes_of("vit_b_16", num_classes=10, image_size=384))
    assert dict(match.architecture.options) == {"image_size": 384}
    assert match.architecture.preprocessing is not None
    assert match.architecture.preprocessing.crop == 384


def test_nearly_fitting_tensors_name_the_closest_and_the_first_that_disagrees() -> None:
    shapes = shapes_of("resnet18", num_classes=10)
    shapes["layer4.1.conv2.weight"] = (512, 256, 3, 3)
    with pytest.raises(ArchitectureUnknown) as raised:
        found(shapes)
    first = raised.value.context[0]
    assert first == (
        "torchvision:resnet18: 101 of 122 tensors agree; layer4.1.conv2.weight is (512, 256, 3, 3), "
        "expected (512, 512, 3, 3)"
    )
    assert "--arch torchvision:resnet18" in raised.value.fix


def test_replaced_head_names_what_is_missing_and_unexpected() -> None:
    shapes = shapes_of("resnet18", num_classes=10)
    shapes["fc.1.weight"], shapes["fc.1.bias"] = shapes.pop("fc.weight"), shapes.pop("fc.bias")
    with pytest.raises(ArchitectureUnknown, match=r"2 missing, first fc\.weight; 2 unexpected, first fc\.1\.weight"):
        found(shapes)


def test_unknown_tensors_say_how_to_give_the_class() -> None:
    with pytest.raises(ArchitectureUnknown) as raised:
        found({"encoder_0.w": (3, 3), "encoder_0.b": (3,)})
    assert "none comes close" in raised.value.what
    assert "--arch FILE.py:CLASS" in raised.value.fix


def test_architectures_of_the_same_tensors_are_an_error_that_names_them() -> None:
    shapes = shapes_of("fasterrcnn_mobilenet_v3_large_fpn")
    with pytest.raises(ArchitectureUnknown) as raised:
        found(shapes)
    assert "fits 2 architectures that have the same tensors" in raised.value.what
    assert "torchvision:fasterrcnn_mobilenet_v3_large_320_fpn" in raised.value.what


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth", "fasterrcnn_mobilenet_v3_large_320_fpn"),
        ("my_fasterrcnn_mobilenet_v3_large_fpn_best.pt", "fasterrcnn_mobilenet_v3_large_fpn"),
    ],
)
def test_the_files_name_breaks_a_tie(file_name: str, name: str) -> None:
    match = found(shapes_of("fasterrcnn_mobilenet_v3_large_fpn"), file_name)
    assert match.architecture.name == name
    assert "the file's name says" in match.notes[0]


def timm_shapes(name: str) -> dict[str, Shape]:
    import_torchvision()
    timm = pytest.importorskip("timm")
    net = on_meta(lambda: timm.create_model(name, num_classes=10))
    return {key: tuple(tensor.shape) for key, tensor in net.state_dict().items()}


def test_timm_net_is_recognised() -> None:
    match = found(timm_shapes("convnext_atto"))
    assert (match.architecture.title, match.classes) == ("timm:convnext_atto", 10)


def test_timm_nets_of_the_same_tensors_are_told_apart_by_the_files_name_only() -> None:
    shapes = timm_shapes("tf_efficientnet_b0")
    with pytest.raises(ArchitectureUnknown, match=r"timm:efficientnet_b0, .*timm:tf_efficientnet_b0"):
        found(shapes)
    assert found(shapes, "tf_efficientnet_b0_ns-c0e6a31c.pth").architecture.name == "tf_efficientnet_b0"


def test_timms_twin_of_a_torchvision_net_is_mentioned_and_taken_when_the_file_is_named_after_it() -> None:
    pytest.importorskip("timm")
    shapes = shapes_of("resnet18", num_classes=10)
    match = found(shapes)
    assert match.architecture.title == "torchvision:resnet18"
    assert "timm:resnetblur18" in match.notes[0]
    assert found(shapes, "resnetblur18_best.pth").architecture.title == "timm:resnetblur18"
    assert found(shapes, "resnet18-5c106cde.pth").architecture.title == "torchvision:resnet18"


def test_recognition_takes_less_than_a_fifth_of_a_second() -> None:
    shapes = shapes_of("densenet121", num_classes=10)
    found(shapes)
    load_index.cache_clear()
    fastest = 10.0
    for _ in range(3):
        load_index.cache_clear()
        started = time.perf_counter()
        found(shapes)
        fastest = min(fastest, time.perf_counter() - started)
    assert fastest < 0.2


def test_recognition_imports_no_framework(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = (
        "import sys; from pathlib import Path; from verify.checkpoint.recognise import recognise\n"
        "from verify.checkpoint.index import load_index\n"
        "import verify.checkpoint\n"
        "assert not {'torch', 'torchvision', 'timm', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.slow
def test_every_torchvision_architecture_is_recognised() -> None:
    models = import_torchvision().models
    wrong: dict[str, str] = {}
    for name in models.list_models():
        if name.startswith("quantized_"):
            continue
        match = found(shapes_of(name), f"{name}.pth")
        if match.architecture.title != f"torchvision:{name}":
            wrong[name] = match.architecture.title
    assert wrong == {}
