"""Every kind of checkpoint opens as the model it was saved from, or ends in an error that says what to do."""

from __future__ import annotations

import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from verify.checkpoint import describe, forward_parameter_names, open_model
from verify.checkpoint.opened import ModuleKind
from verify.checkpoint.torchvision_shim import import_torchvision
from verify.errors import (
    ArchitectureUnknown,
    CheckpointUnreadable,
    InputSpecInvalid,
    NonFiniteWeights,
    StateDictMismatch,
)
from verify.model import ModelSource
from verify.samples import ImagePreprocessing, InputSpec

NET_SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width: int = 8, classes: int = 3):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.head = nn.Linear(width, classes)

    def forward(self, picture, scale=None):
        return self.head(self.norm(self.conv(picture)).relu().mean((2, 3)))

class Broken(nn.Module):
    def __init__(self, size):
        super().__init__()
"""


@pytest.fixture
def net_file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(NET_SOURCE)
    return path


def make_net(net_file: Path, **options: int) -> torch.nn.Module:
    namespace: dict[str, type[torch.nn.Module]] = {}
    exec(net_file.read_text(), namespace)
    torch.manual_seed(0)
    net = namespace["Net"](**options).eval()
    net.norm.running_mean.normal_()  # type: ignore[union-attr,operator]
    return net


def source(path: Path, net_file: Path, **options: object) -> ModelSource:
    return ModelSource(path, arch=f"{net_file}:Net", inputs=("picture=N,1,6,6",), **options)  # type: ignore[arg-type]


def assert_same(opened: torch.nn.Module, net: torch.nn.Module) -> None:
    for name, tensor in net.state_dict().items():
        assert torch.equal(opened.state_dict()[name].double(), tensor.double()), name
    assert not opened.training
    x = torch.randn(2, 1, 6, 6)
    assert torch.equal(opened(x), net(x))


def with_prefix(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + key: value for key, value in state.items()}


WRAPPED = {
    "bare": lambda s: s,
    "state_dict": lambda s: {"state_dict": s, "epoch": 3},
    "model_state_dict": lambda s: {"model_state_dict": s, "optimizer_state_dict": {"state": {0: {"exp_avg": s}}}},
    "model": lambda s: {"model": s},
    "net": lambda s: {"net": s, "acc": 0.9},
    "params": lambda s: {"params": s},
    "nested": lambda s: {"ckpt": {"model": {"state_dict": s}}},
    "DataParallel": lambda s: with_prefix(s, "module."),
    "torch.compile": lambda s: with_prefix(s, "_orig_mod."),
    "Lightning": lambda s: {"state_dict": with_prefix(s, "model."), "pytorch-lightning_version": "2"},
    "compiled DataParallel": lambda s: {"model": with_prefix(s, "module._orig_mod.")},
    "AveragedModel": lambda s: {"n_averaged": torch.tensor(5), **with_prefix(s, "module.")},
    "thop": lambda s: {**s, "total_ops": torch.zeros(1), "conv.total_params": torch.zeros(1)},
    "EMA only": lambda s: {"ema": s},
    "numpy": lambda s: {"state_dict": {key: value.numpy() for key, value in s.items()}},
}


@pytest.mark.parametrize("how", sorted(WRAPPED))
def test_weights_are_found_however_they_are_wrapped(how: str, net_file: Path, tmp_path: Path) -> None:
    net = make_net(net_file)
    torch.save(WRAPPED[how](net.state_dict()), tmp_path / "m.pth")  # type: ignore[no-untyped-call]
    assert_same(open_model(source(tmp_path / "m.pth", net_file)).module, net)


def test_ema_copy_is_taken_only_when_asked_for(net_file: Path, tmp_path: Path) -> None:
    net, averaged = make_net(net_file), make_net(net_file)
    torch.nn.init.constant_(averaged.head.bias, 4.0)  # type: ignore[arg-type,union-attr]
    torch.save({"model": net.state_dict(), "ema": averaged.state_dict()}, tmp_path / "m.pth")
    assert_same(open_model(source(tmp_path / "m.pth", net_file)).module, net)
    opened = open_model(source(tmp_path / "m.pth", net_file, prefer_ema=True))
    assert_same(opened.module, averaged)
    assert "the weights are the checkpoint's 'ema'" in opened.description.notes


def test_ema_copy_that_is_not_there_is_an_error(net_file: Path, tmp_path: Path) -> None:
    torch.save(make_net(net_file).state_dict(), tmp_path / "m.pth")
    with pytest.raises(CheckpointUnreadable, match="no averaged"):
        open_model(source(tmp_path / "m.pth", net_file, prefer_ema=True))


def test_legacy_stream_opens(net_file: Path, tmp_path: Path) -> None:
    net = make_net(net_file)
    torch.save(net.state_dict(), tmp_path / "m.pth", _use_new_zipfile_serialization=False)
    assert_same(open_model(source(tmp_path / "m.pth", net_file)).module, net)


def test_legacy_tar_opens(net_file: Path, tmp_path: Path) -> None:
    net = make_net(net_file)
    write_legacy_tar(tmp_path / "m.pth", dict(net.state_dict()))
    assert_same(open_model(source(tmp_path / "m.pth", net_file)).module, net)


def write_legacy_tar(path: Path, state: dict[str, torch.Tensor]) -> None:
    """The layout of torch 0.1: storages, tensors and a pickle that refers to tensors by number."""
    import io
    import pickle
    import tarfile

    storages, tensors = io.BytesIO(), io.BytesIO()
    pickle.dump(len(state), storages, protocol=2)
    pickle.dump(len(state), tensors, protocol=2)
    kinds = {torch.float32: "FloatStorage", torch.int64: "LongStorage"}
    for number, tensor in enumerate(state.values()):
        kind = f"ctorch\n{kinds[tensor.dtype]}\n".encode()
        storages.write(b"\x80\x02K" + bytes([number]) + b"X\x03\x00\x00\x00cpu" + kind + b"\x87.")
        storages.write(struct.pack("<q", tensor.numel()) + tensor.contiguous().numpy().tobytes())
        pickle.dump((100 + number, number, None), tensors, protocol=2)
        tensors.write(struct.pack("<i4x", tensor.dim()))
        tensors.write(struct.pack(f"<{2 * tensor.dim() + 1}q", *tensor.shape, *tensor.contiguous().stride(), 0))
    pickle.dump([], storages, protocol=2)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            numbers = [i for i, tensor in enumerate(state.values()) if tensor is value]
            return str(100 + numbers[0]) if numbers else None

    main = io.BytesIO()
    Pickler(main, protocol=2).dump(state)
    with tarfile.open(path, "w") as archive:
        for name, data in (("storages", storages), ("tensors", tensors), ("pickle", main)):
            info = tarfile.TarInfo(name)
            info.size = len(data.getvalue())
            data.seek(0)
            archive.addfile(info, data)


def test_safetensors_opens(net_file: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    net = make_net(net_file)
    save_file(with_prefix(dict(net.state_dict()), "module."), tmp_path / "m.safetensors")
    assert_same(open_model(source(tmp_path / "m.safetensors", net_file)).module, net)


def test_recompressed_zip_opens(net_file: Path, tmp_path: Path) -> None:
    net = make_net(net_file)
    torch.save(net.state_dict(), tmp_path / "a.pth")
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as old,
        zipfile.ZipFile(tmp_path / "m.pth", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert_same(open_model(source(tmp_path / "m.pth", net_file)).module, net)


def test_views_of_one_storage_open(net_file: Path, tmp_path: Path) -> None:
    net = make_net(net_file)
    state = net.state_dict()
    whole = torch.cat([torch.zeros(5), state["head.weight"].flatten()])
    state["head.weight"] = whole[5:].view(3, 8)
    state["conv.weight"] = state["conv.weight"].permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    torch.save(state, tmp_path / "m.pth")
    assert_same(open_model(source(tmp_path / "m.pth", net_file)).module, net)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_widths_become_float32_with_a_note(dtype: torch.dtype, net_file: Path, tmp_path: Path) -> None:
    net = make_net(net_file).to(dtype)
    torch.save(net.state_dict(), tmp_path / "m.pth")
    opened = open_model(source(tmp_path / "m.pth", net_file))
    assert {tensor.dtype for tensor in opened.module.parameters()} == {torch.float32}
    name = str(dtype).removeprefix("torch.")
    assert f"weights stored as {name} were converted to float32" in opened.description.notes
    expected = net.state_dict()["head.weight"].float()
    assert torch.equal(opened.module.state_dict()["head.weight"], expected)


def test_torchscript_opens_as_it_is(net_file: Path, tmp_path: Path) -> None:
    net = make_net(net_file)
    torch.jit.trace(net, torch.zeros(1, 1, 6, 6)).save(str(tmp_path / "m.pt"))  # type: ignore[no-untyped-call]
    opened = open_model(ModelSource(tmp_path / "m.pt", inputs=("picture=N,1,6,6",)))
    assert opened.kind is ModuleKind.SCRIPTED
    assert opened.description.architecture == "TorchScript archive"
    x = torch.randn(3, 1, 6, 6)
    torch.testing.assert_close(opened.module(x), net(x))


def test_torchscript_of_a_known_architecture_has_its_input(tmp_path: Path) -> None:
    net = import_torchvision().models.squeezenet1_1(num_classes=5).eval()
    torch.jit.script(net).save(str(tmp_path / "m.pt"))  # type: ignore[no-untyped-call]
    description = describe(ModelSource(tmp_path / "m.pt"))
    assert description.inputs[0].shape == ("N", 3, 224, 224)
    assert description.class_count == 5


def test_exported_program_opens_with_its_own_inputs(net_file: Path, tmp_path: Path) -> None:
    net = make_net(net_file)
    batch = {"picture": {0: torch.export.Dim("batch")}, "scale": None}
    program = torch.export.export(net, (torch.zeros(2, 1, 6, 6),), {"scale": None}, dynamic_shapes=batch)
    torch.export.save(program, tmp_path / "m.pt2")
    opened = open_model(ModelSource(tmp_path / "m.pt2"))
    assert opened.kind is ModuleKind.EXPORTED
    assert opened.program is not None
    assert opened.description.inputs[0] == InputSpec("picture", ("N", 1, 6, 6))
    assert opened.description.notes == ()
    x = torch.randn(5, 1, 6, 6)
    torch.testing.assert_close(opened.module(x, scale=None), net(x))


def test_recognised_net_computes_what_it_computed_when_it_was_saved(tmp_path: Path) -> None:
    net = import_torchvision().models.mobilenet_v3_small(num_classes=7).eval()
    torch.save(net.state_dict(), tmp_path / "m.pth")
    opened = open_model(ModelSource(tmp_path / "m.pth"))
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(opened.module(x), net(x))
    description = opened.description
    assert description.architecture == "torchvision:mobilenet_v3_small"
    assert description.recognised_by == "names and shapes of 210 tensors"
    assert description.class_count == 7
    assert description.output_names == ("logits",)
    assert description.inputs == (InputSpec("image", ("N", 3, 224, 224), preprocessing=ImagePreprocessing(256, 224)),)
    assert description.parameter_count == sum(p.numel() for p in net.parameters())


def test_recognised_net_with_old_keys_and_one_input_channel(tmp_path: Path) -> None:
    import re

    torch.manual_seed(0)
    net = import_torchvision().models.densenet121(num_classes=4).eval()
    net.features.conv0 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    old = OrderedDict(
        (re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key), value)
        for key, value in net.state_dict().items()
        if not key.endswith("num_batches_tracked")
    )
    torch.save(old, tmp_path / "densenet121-a639ec97.pth")
    opened = open_model(ModelSource(tmp_path / "densenet121-a639ec97.pth", inputs=("image=N,1,64,64",)))
    x = torch.randn(2, 1, 64, 64)
    assert torch.equal(opened.module(x), net(x))
    assert opened.description.inputs == (
        InputSpec("image", ("N", 1, 64, 64), preprocessing=ImagePreprocessing(73, 64, (0.449,), (0.226,))),
    )


def test_timm_net_computes_what_it_computed_when_it_was_saved(tmp_path: Path) -> None:
    import_torchvision()
    timm = pytest.importorskip("timm")
    net = timm.create_model("mobilenetv3_small_050", num_classes=5, in_chans=1).eval()
    torch.save({"state_dict": with_prefix(net.state_dict(), "module.")}, tmp_path / "m.pth")
    opened = open_model(ModelSource(tmp_path / "m.pth"))
    assert opened.description.architecture == "timm:mobilenetv3_small_050"
    assert opened.description.inputs[0].shape == ("N", 1, 224, 224)
    x = torch.randn(2, 1, 64, 64)
    assert torch.equal(opened.module(x), net(x))


def test_published_file_is_told_by_its_hash_not_by_its_name(tmp_path: Path) -> None:
    """Published GoogLeNet transforms its input; another checkpoint of that file name does not."""
    net = import_torchvision().models.googlenet(init_weights=False, aux_logits=False).eval()
    torch.save(net.state_dict(), tmp_path / "googlenet-1378be20.pth")
    opened = open_model(ModelSource(tmp_path / "googlenet-1378be20.pth"))
    assert opened.module.transform_input is False
    assert not any("published googlenet" in note for note in opened.description.notes)


def test_version_1_stem_of_mnasnet_opens(tmp_path: Path) -> None:
    from verify.checkpoint.index import load_index
    from verify.checkpoint.torchvision_catalogue import constructor

    old = next(a for a in load_index("torchvision").named("mnasnet0_5") if a.variant)
    net = constructor(old)(10).eval()
    torch.save(net.state_dict(), tmp_path / "m.pth")
    x = torch.randn(1, 3, 64, 64)
    assert torch.equal(open_model(ModelSource(tmp_path / "m.pth")).module(x), net(x))


def test_arch_of_a_library_takes_classes_from_the_tensors(tmp_path: Path) -> None:
    net = import_torchvision().models.squeezenet1_1(num_classes=6)
    torch.save(net.state_dict(), tmp_path / "m.pth")
    description = describe(ModelSource(tmp_path / "m.pth", arch="torchvision:squeezenet1_1"))
    assert (description.class_count, description.recognised_by) == (6, "--arch")


def test_arch_args_reach_the_constructor(net_file: Path, tmp_path: Path) -> None:
    net = make_net(net_file, width=4, classes=2)
    torch.save(net.state_dict(), tmp_path / "m.pth")
    arguments = (("width", "4"), ("classes", "2"))
    assert_same(open_model(source(tmp_path / "m.pth", net_file, arch_args=arguments)).module, net)


def test_mismatch_lists_counts_and_first_tensors(net_file: Path, tmp_path: Path) -> None:
    state = make_net(net_file, classes=2).state_dict()
    state["neck.weight"] = state.pop("norm.weight")
    torch.save(state, tmp_path / "m.pth")
    with pytest.raises(StateDictMismatch) as raised:
        open_model(source(tmp_path / "m.pth", net_file))
    assert raised.value.what == f"{tmp_path}/m.pth does not fit {net_file}:Net: 6 tensors agree, 4 do not"
    assert raised.value.context == (
        "1 missing: norm.weight",
        "1 unexpected: neck.weight",
        "2 of another shape: head.weight is (2, 8), expected (3, 8), head.bias is (2,), expected (3,)",
    )
    assert "--partial" in raised.value.fix


def test_partial_loads_what_fits_and_lists_the_rest(net_file: Path, tmp_path: Path) -> None:
    net = make_net(net_file)
    state = net.state_dict()
    state["neck.weight"] = state.pop("norm.weight")
    torch.save(state, tmp_path / "m.pth")
    opened = open_model(source(tmp_path / "m.pth", net_file, partial=True))
    assert_same(opened.module, net)
    assert "--partial: tensors 1 missing: norm.weight" in opened.description.notes
    assert "--partial: tensors 1 unexpected: neck.weight" in opened.description.notes


@pytest.mark.parametrize(
    ("arch", "words"),
    [
        ("resnet18", "did you mean torchvision:resnet18"),
        ("torchvision:resnet81", "close to it: torchvision:resnet18"),
        ("no_such_file.py:Net", "there is no file no_such_file.py"),
        ("no.such.module:Net", "importing no.such.module failed: ModuleNotFoundError"),
        ("{net}:Nett", "its torch.nn.Module classes are Broken, Net"),
        ("{net}:Broken", "missing 1 required positional argument: 'size'"),
        ("{net}:torch.zeros", "could not be built"),
    ],
)
def test_arch_that_cannot_be_built_says_why(arch: str, words: str, net_file: Path, tmp_path: Path) -> None:
    torch.save(make_net(net_file).state_dict(), tmp_path / "m.pth")
    with pytest.raises(ArchitectureUnknown) as raised:
        open_model(ModelSource(tmp_path / "m.pth", arch=arch.format(net=net_file)))
    assert words in raised.value.what
    assert raised.value.fix


def test_user_net_without_input_asks_for_it(net_file: Path, tmp_path: Path) -> None:
    torch.save(make_net(net_file).state_dict(), tmp_path / "m.pth")
    with pytest.raises(InputSpecInvalid, match="what shape picture of this model's forward has"):
        open_model(ModelSource(tmp_path / "m.pth", arch=f"{net_file}:Net"))


def test_nan_and_infinite_weights_are_named(net_file: Path, tmp_path: Path) -> None:
    state = make_net(net_file).state_dict()
    state["head.weight"][0, :2] = float("nan")
    state["norm.running_var"][3] = float("inf")
    torch.save(state, tmp_path / "m.pth")
    with pytest.raises(NonFiniteWeights) as raised:
        open_model(source(tmp_path / "m.pth", net_file))
    assert raised.value.what == (
        f"2 of 8 tensors in {tmp_path}/m.pth hold NaN or infinity: head.weight (2 NaN and 0 infinite of 24), "
        "norm.running_var (0 NaN and 1 infinite of 8)"
    )
    assert "had diverged" in raised.value.fix


FOREIGN = {
    "empty": (b"", "is empty (0 bytes)"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(100), "is a JPEG picture"),
    "text": (b"hello, this is not a model\n" * 20, "is not a PyTorch checkpoint"),
    "source": (b"class Net:\n    pass\n", "is not a PyTorch checkpoint"),
    "page": (b"<!DOCTYPE html><html></html>", "is a web page"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
    "tflite": (b"\x1c\x00\x00\x00TFL3" + bytes(64), "is a TensorFlow Lite model"),
    "h5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "is an HDF5 file"),
    "zeros": (bytes(4096), "is not a PyTorch checkpoint"),
}


@pytest.mark.parametrize("kind", sorted(FOREIGN))
def test_file_of_another_kind_is_named(kind: str, tmp_path: Path) -> None:
    data, words = FOREIGN[kind]
    path = tmp_path / "model.pth"
    path.write_bytes(data)
    with pytest.raises(CheckpointUnreadable) as raised:
        open_model(ModelSource(path))
    assert words in raised.value.what
    assert raised.value.fix


def test_onnx_model_is_sent_to_its_own_command(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\x0a\x12\x07pytorch" + bytes(64))
    with pytest.raises(CheckpointUnreadable, match="is an ONNX model") as raised:
        open_model(ModelSource(path))
    assert raised.value.fix == "convert it with `convert onnx2tflite`"


def test_other_zip_is_named_by_what_it_holds(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", x=np.zeros(3))
    with pytest.raises(CheckpointUnreadable, match=r"not one that torch\.save writes.*x\.npy"):
        open_model(ModelSource(tmp_path / "m.npz"))


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("share", [0.001, 0.02, 0.2, 0.5, 0.9, 0.999])
def test_truncated_file_is_told_as_such(kind: str, share: float, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = {"layer.weight": torch.randn(40, 40), "layer.bias": torch.randn(40)}
    path = tmp_path / "m.pth"
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    data = path.read_bytes()
    path.write_bytes(data[: max(1, int(len(data) * share))])
    with pytest.raises(CheckpointUnreadable) as raised:
        open_model(ModelSource(path))
    assert raised.value.fix


def test_truncated_zip_says_so_exactly(tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    torch.save({"layer.weight": torch.randn(40, 40)}, path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointUnreadable) as raised:
        open_model(ModelSource(path))
    assert str(raised.value) == (
        f"{path} begins like a zip archive, as torch.save writes, but is truncated or damaged "
        "(File is not a zip file)\n"
        "  fix: copy or download it again; its size should be that of the original"
    )


def test_tensor_that_reaches_beyond_its_storage_is_refused(net_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    torch.save(make_net(net_file).state_dict(), path)
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    members["m/data/0"] = members["m/data/0"][:8]
    with zipfile.ZipFile(path, "w") as new:
        for name, data in members.items():
            new.writestr(name, data)
    with pytest.raises(CheckpointUnreadable, match=r"is damaged: conv\.weight of shape"):
        open_model(source(path, net_file))


def test_checkpoint_without_weights_says_what_is_there(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "lr": 0.1}, tmp_path / "m.pth")
    with pytest.raises(CheckpointUnreadable, match=r"holds no weights: it is a dict with 2 entries \(epoch, lr\)"):
        open_model(ModelSource(tmp_path / "m.pth"))


def test_missing_file_and_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointUnreadable, match="there is no file"):
        open_model(ModelSource(tmp_path / "none.pth"))
    with pytest.raises(CheckpointUnreadable, match="is a folder"):
        open_model(ModelSource(tmp_path))


def test_model_is_opened_once_for_the_same_source(net_file: Path, tmp_path: Path) -> None:
    torch.save(make_net(net_file).state_dict(), tmp_path / "m.pth")
    asked = source(tmp_path / "m.pth", net_file)
    assert open_model(asked) is open_model(asked)


def test_a_file_that_changed_is_opened_again(net_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    torch.save(make_net(net_file).state_dict(), path)
    first = open_model(source(path, net_file))
    torch.save(make_net(net_file).double().state_dict(), path)
    assert open_model(source(path, net_file)) is not first


def test_parameters_without_dots_in_their_names_are_weights(tmp_path: Path) -> None:
    (tmp_path / "scale.py").write_text(
        "import torch\n"
        "class Scale(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.factor = torch.nn.Parameter(torch.ones(3))\n"
        "    def forward(self, x): return x * self.factor\n"
    )
    torch.save({"factor": torch.full((3,), 2.0)}, tmp_path / "m.pth")
    opened = open_model(ModelSource(tmp_path / "m.pth", arch=f"{tmp_path}/scale.py:Scale", inputs=("x=N,3",)))
    assert torch.equal(opened.module(torch.ones(1, 3)), torch.full((1, 3), 2.0))


def test_exported_program_with_integer_input_asks_for_its_range(tmp_path: Path) -> None:
    net = torch.nn.Embedding(10, 4)
    batch = {"input": {0: torch.export.Dim("batch")}}
    program = torch.export.export(net, (torch.zeros(2, 5, dtype=torch.int64),), dynamic_shapes=batch)
    torch.export.save(program, tmp_path / "m.pt2")
    with pytest.raises(InputSpecInvalid) as raised:
        open_model(ModelSource(tmp_path / "m.pt2"))
    assert raised.value.fix == "say what it may hold: --input input=N,5:int64:0..9"
    opened = open_model(ModelSource(tmp_path / "m.pt2", inputs=("input=N,5:int64:0..9",)))
    assert opened.description.inputs == (InputSpec("input", ("N", 5), "int64", 0, 9),)


def test_forward_parameter_names_are_those_of_the_net(net_file: Path) -> None:
    assert forward_parameter_names(make_net(net_file)) == ("picture", "scale")


def test_the_input_file_is_never_changed(net_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    torch.save(make_net(net_file).state_dict(), path)
    before = path.read_bytes()
    opened = open_model(source(path, net_file))
    with torch.no_grad():
        opened.module.head.weight.zero_()  # type: ignore[union-attr,operator]
    assert path.read_bytes() == before
