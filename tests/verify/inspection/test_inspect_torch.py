"""What a PyTorch file is said to hold, read as data."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
import torch
from nets import TinyMobileNet, ready
from safetensors.torch import save_file

from verify.errors import CheckpointUnreadable, ModelUnreadable
from verify.inspection.opening import read_model


@pytest.fixture(scope="module")
def state():
    return ready(TinyMobileNet).module.state_dict()


def learnt(state) -> int:
    return sum(tensor.numel() for name, tensor in state.items() if not name.endswith("num_batches_tracked"))


def test_a_state_dict_is_counted_module_by_module(torch_files, state):
    found = read_model(torch_files / "net.pth")
    assert found.parameters == learnt(state)
    assert sum(layer.parameters for layer in found.layers) == found.parameters
    largest = max((tensor.numel(), name) for name, tensor in state.items() if name.endswith("weight"))
    assert found.layers[0].name == largest[1].removesuffix(".weight")


def test_safetensors_say_the_same_as_the_state_dict(torch_files, state, tmp_path):
    save_file(state, tmp_path / "net.safetensors")
    ours, theirs = read_model(tmp_path / "net.safetensors"), read_model(torch_files / "net.pth")
    assert (ours.parameters, ours.weight_bytes) == (theirs.parameters, theirs.weight_bytes)
    sizes = [{(layer.name, layer.weight_bytes) for layer in found.layers} for found in (ours, theirs)]
    assert sizes[0] == sizes[1]


def test_an_exported_program_gives_its_signature_ops_and_parameters(torch_files, state):
    found = read_model(torch_files / "net.pt2")
    (signature,) = found.signatures
    assert [(spec.dtype, spec.shape) for spec in signature.inputs] == [("float32", ("N", 3, 32, 32))]
    assert [spec.shape for spec in signature.outputs] == [("N", 10)]
    assert found.parameters == learnt(state)
    assert {kind.op: kind.count for kind in found.ops}["aten.conv2d.default"] == 6


def test_a_torchscript_archive_is_counted_as_its_state_dict_is(torch_files, state, tmp_path):
    torch.jit.trace(ready(TinyMobileNet).module, torch.zeros(1, 3, 32, 32)).save(tmp_path / "scripted.pt")
    found = read_model(tmp_path / "scripted.pt")
    assert (found.format, found.parameters) == ("TorchScript archive", learnt(state))


def test_torch_is_not_imported_to_read_any_of_them(torch_files):
    script = (
        "import sys; from pathlib import Path; from verify.inspection.opening import read_model; "
        "found = [read_model(Path(path)).parameters for path in sys.argv[1:]]; print(found, 'torch' in sys.modules)"
    )
    paths = [str(torch_files / name) for name in ("net.pth", "net.pt2")]
    done = subprocess.run([sys.executable, "-c", script, *paths], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[2506, 2506] False"


class Touch:
    """Unpickling it makes a file."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_of_a_pickle_is_run_and_what_it_would_call_is_named(tmp_path):
    path, touched = tmp_path / "evil.pth", tmp_path / "touched"
    path.write_bytes(pickle.dumps({"state_dict": {"weight": Touch(touched)}}))
    found = read_model(path)
    assert not touched.exists()
    assert any("open" in note for note in found.notes)


def test_a_whole_pickled_module_says_that_its_tensors_are_not_known(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pth")
    found = read_model(tmp_path / "whole.pth")
    assert found.parameters is None
    assert any("Linear" in note for note in found.notes)


@pytest.mark.parametrize("name", ["net.pth", "net.pt2"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_file_is_unreadable(torch_files, tmp_path, name, share):
    whole = (torch_files / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises((CheckpointUnreadable, ModelUnreadable)):
        read_model(tmp_path / name)
