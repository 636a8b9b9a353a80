"""No file runs code on being opened, however it is made; each ends in a typed error with exit code 2."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hostile_files import HOSTILE, reduce_os_system, weights

from verify.checkpoint import open_model
from verify.checkpoint.inert_pickle import MalformedPickleError, Opaque, read_pickle
from verify.errors import ExitCode, InputError, UnsafeCheckpoint
from verify.model import ModelSource

NET = """
import torch
class Net(torch.nn.Sequential):
    def __init__(self): super().__init__(torch.nn.Linear(4, 2))
"""


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_file_runs_nothing_and_ends_in_a_typed_error(name: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    path = HOSTILE[name](tmp_path, canary)
    assert not canary.exists()
    with pytest.raises(InputError) as raised:
        open_model(ModelSource(path))
    assert raised.value.exit_code is ExitCode.BAD_INPUT
    assert raised.value.fix
    (tmp_path / "net.py").write_text(NET)
    with pytest.raises(InputError):
        open_model(ModelSource(path, arch=f"{tmp_path}/net.py:Net", partial=True))
    assert not canary.exists(), f"{name} ran code"


TRUSTING_LOADER = """
import pickle, sys, torch
for path in sys.argv[1:]:
    for load in (lambda p: torch.load(p, weights_only=False), lambda p: pickle.load(open(p, "rb")), torch.export.load):
        try: load(path)
        except BaseException: pass
"""
TRIPPING = [
    "reduce_os_system", "beside_good_weights", "nested_in_lists_and_dicts", "among_the_weights", "as_a_dict_key",
    "build_with_setstate", "legacy_stream", "legacy_stream_in_its_system_info", "legacy_tar", "legacy_tar_storages",
    "plain_pickle_protocol_0", "plain_pickle_protocol_4", "plain_pickle_protocol_5", "inst_opcode", "obj_opcode",
    "stack_global_through_the_memo", "persistent_id_made_by_a_call", "builtins_eval", "getattr_chain", "reduce_popen",
    "dotted_name_through_torch", "torch_load_of_a_second_file", "storage_load_from_bytes", "numpy_object_array",
    "safetensors_by_name_only", "exported_program_with_pickled_weight", "exported_program_with_hostile_sample_inputs",
    "exported_program_with_code_as_a_size",
]  # fmt: skip


def test_the_hostile_files_do_run_code_in_a_trusting_loader(tmp_path: Path) -> None:
    """The canary means something."""
    paths: dict[str, Path] = {}
    for name in TRIPPING:
        (tmp_path / name).mkdir()
        paths[name] = HOSTILE[name](tmp_path / name, tmp_path / name / "canary")
    command = [sys.executable, "-c", TRUSTING_LOADER, *map(str, paths.values())]
    subprocess.run(command, capture_output=True, check=False)
    assert [name for name in TRIPPING if not (tmp_path / name / "canary").exists()] == []


def test_at_least_twenty_different_attacks_are_tried() -> None:
    assert len(HOSTILE) >= 20


def test_the_error_names_what_would_have_run_and_how_to_go_on(tmp_path: Path) -> None:
    path = reduce_os_system(tmp_path, tmp_path / "canary")
    with pytest.raises(UnsafeCheckpoint) as raised:
        open_model(ModelSource(path))
    assert raised.value.what == (
        f"{path} is a torch.save file that would run code when it is loaded: it refers to posix.system. "
        "Nothing of it was run"
    )
    assert "--trust-pickle" in raised.value.fix
    assert "torch.save(torch.load('model.pth', weights_only=False).state_dict(), 'model_state.pth')" in raised.value.fix


def test_a_pickled_module_lists_its_classes(tmp_path: Path) -> None:
    torch.save(torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.ReLU()), tmp_path / "whole.pth")
    with pytest.raises(UnsafeCheckpoint) as raised:
        open_model(ModelSource(tmp_path / "whole.pth"))
    for name in ("Sequential", "torch.nn.modules.linear.Linear", "torch.nn.modules.activation.ReLU"):
        assert name in raised.value.what
    assert "holds a whole pickled object, not a state_dict" in raised.value.what
    assert "--trust-pickle" in raised.value.fix
    assert "whole_state.pth" in raised.value.fix


def test_trust_pickle_opens_a_pickled_module(tmp_path: Path) -> None:
    torch.save({"model": torch.nn.Sequential(torch.nn.Linear(4, 2))}, tmp_path / "whole.pth")
    opened = open_model(ModelSource(tmp_path / "whole.pth", trust_pickle=True, inputs=("x=N,4",)))
    assert opened.module(torch.zeros(3, 4)).shape == (3, 2)
    assert opened.description.architecture == "pickled torch.nn.modules.container.Sequential"


def test_harmless_objects_beside_the_weights_are_left_out_with_a_note(tmp_path: Path) -> None:
    import argparse
    import collections

    import numpy as np

    net = torch.nn.Sequential(torch.nn.Linear(4, 2))
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.zeros(1, 4)).sum().backward()
    optimizer.step()
    checkpoint = {
        "state_dict": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "args": argparse.Namespace(lr=0.1),
        "loss": np.float64(0.5),
        "history": np.arange(4),
        "where": Path("runs"),
        "counts": collections.defaultdict(list, a=[1]),
    }
    torch.save(checkpoint, tmp_path / "train.pth")
    (tmp_path / "net.py").write_text(NET)
    opened = open_model(ModelSource(tmp_path / "train.pth", arch=f"{tmp_path}/net.py:Net", inputs=("x=N,4",)))
    assert torch.equal(opened.module[0].weight, net[0].weight)  # type: ignore[index]
    assert any("argparse.Namespace" in note for note in opened.description.notes)


def test_the_interpreter_resolves_no_name() -> None:
    found = read_pickle(b"cno.such.module\nthing\n(S'x'\ntR.")
    assert isinstance(found.root, Opaque)
    assert found.root.maker == "no.such.module.thing"
    assert found.called == ("no.such.module.thing",)


@pytest.mark.parametrize("protocol", range(6))
def test_the_interpreter_reads_plain_data_of_every_protocol(protocol: int) -> None:
    data = {"a": [1, 2.5, None, True], "b": ("x", b"y", 10**30, -3), "c": {"d": [[]]}, "e": "ü" * 300}
    found = read_pickle(
        pickle.dumps(data, protocol=protocol), {"_codecs.encode": lambda text, _: text.encode("latin1")}
    )
    assert found.root == data
    assert found.called == ()


@pytest.mark.parametrize("cut", [1, 2, 5, 9, 20, 40])
def test_a_cut_pickle_is_malformed(cut: int) -> None:
    data = pickle.dumps({"a": [1, 2, 3], "b": "some text that is long"}, protocol=4)
    with pytest.raises(MalformedPickleError):
        read_pickle(data[: len(data) - cut])


def test_a_deeply_nested_key_does_not_overflow_the_stack() -> None:
    nested = b"\x80\x02}" + b")" + b"\x85" * 50_000 + b"K\x01s."
    assert isinstance(read_pickle(nested).root, dict)


def test_good_weights_are_used_in_these_tests() -> None:
    assert set(weights()) == {"weight", "bias"}


def test_names_in_errors_cannot_drive_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "m.pth").write_bytes(b"\x80\x02cos\n\x1b[2Jsystem\n)R.")
    with pytest.raises(UnsafeCheckpoint) as raised:
        open_model(ModelSource(tmp_path / "m.pth"))
    assert "\x1b" not in raised.value.what
    torch.save({"state_dict": {"\x1b[2Jlayer.weight": torch.zeros(1)}}, tmp_path / "n.pth")
    with pytest.raises(InputError, match="holds control characters") as unreadable:
        open_model(ModelSource(tmp_path / "n.pth"))
    assert "\x1b" not in unreadable.value.what


def test_a_dict_that_holds_itself_a_thousand_times_is_searched_once(tmp_path: Path) -> None:
    root: dict[str, object] = {}
    root.update({f"key{index}": root for index in range(1000)})
    torch.save(root, tmp_path / "m.pth")
    with pytest.raises(InputError, match="holds no weights"):
        open_model(ModelSource(tmp_path / "m.pth"))


@pytest.mark.parametrize("change", ["comment", "appended", "prepended archive", "shifted directory"])
def test_a_zip_that_two_readers_could_read_differently_is_refused(change: str, tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    torch.save(weights(), path)
    data = path.read_bytes()
    changed = {
        "comment": data[:-2] + b"\x04\x00evil",
        "appended": data + data[-22:-2] + b"\x00\x00",
        "prepended archive": data + data,
        "shifted directory": data[:4] + bytes(8) + data[4:],
    }
    path.write_bytes(changed[change])
    with pytest.raises(InputError):
        open_model(ModelSource(path))
