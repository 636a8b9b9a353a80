"""``convert zoo init``: a manifest from a folder of checkpoints, nothing of it loaded or run."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convert.zoo.manifest import load_zoo
from convert.zoo.manifest.init import ManifestExists, NoCheckpoints, WrittenManifest, write_manifest
from verify.artifact import sha256_of

_MAKE = """
import sys, torch, safetensors.torch
from pathlib import Path
from verify.checkpoint.torchvision_shim import import_torchvision
folder = Path(sys.argv[1])
net = import_torchvision().models.squeezenet1_1(num_classes=7)
torch.save({"state_dict": net.state_dict(), "epoch": 3}, folder / "squeeze.ckpt")
safetensors.torch.save_file(net.state_dict(), folder / "squeeze.safetensors")
own = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
(folder / "lab").mkdir()
torch.save(own.state_dict(), folder / "lab" / "best.pt")
torch.save(own, folder / "whole.pth")
torch.jit.script(own).save(str(folder / "scripted.pt"))
"""


class _Attack:
    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("touch attacked",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nets")
    subprocess.run([sys.executable, "-W", "ignore", "-c", _MAKE, str(folder)], check=True)
    (folder / "broken.pth").write_bytes((folder / "squeeze.ckpt").read_bytes()[:5000])
    (folder / "vocabulary.bin").write_bytes(b"\x00\x01\x02 not a net")
    (folder / "attack.pth").write_bytes(pickle.dumps(_Attack()))
    (folder / "photos").mkdir()
    for number in range(3):
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(folder / "photos" / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def written(folder: Path) -> Iterator[WrittenManifest]:
    written = write_manifest(folder, folder / "zoo.toml")
    yield written
    written.path.unlink()


def test_what_it_writes_loads_with_the_hash_of_every_checkpoint(folder: Path, written: WrittenManifest) -> None:
    zoo = load_zoo(written.path, date(2026, 11, 20))
    assert [model.id for model in zoo.models] == [
        "lab-best", "scripted", "squeeze-ckpt", "squeeze-safetensors", "whole",
    ]  # fmt: skip
    for model in zoo.models:
        assert model.task.source.sha256 == sha256_of(folder / model.task.source.location)
        assert model.task.settings.calibration == "photos"


def test_it_says_what_it_recognised_and_what_a_person_has_to_add(written: WrittenManifest) -> None:
    text = written.path.read_text(encoding="utf-8")
    sections = {section.split('"')[1]: section for section in text.split("[[model]]")[1:]}
    assert "# recognised as torchvision:squeezenet1_1: 52 tensors, 7 classes" in sections["squeeze-ckpt"]
    assert "# recognised as torchvision:squeezenet1_1" in sections["squeeze-safetensors"]
    assert '# arch = "net.py:Net"' in sections["lab-best"]
    assert "TO FILL IN: the architecture" in sections["lab-best"]
    assert "# trust_pickle = true" in sections["whole"]
    assert "brings its net along" in sections["scripted"]
    assert "TO FILL IN: its inputs" in sections["scripted"]
    assert "arch =" not in sections["scripted"]
    assert [model.path.name for model in written.incomplete] == ["best.pt", "scripted.pt", "whole.pth"]


def test_what_is_no_checkpoint_or_an_attack_is_left_out_with_the_reason(folder: Path, written: WrittenManifest) -> None:
    left_out = {each.path.name: each.why for each in written.left_out}
    assert set(left_out) == {"attack.pth", "broken.pth", "vocabulary.bin"}
    assert "system" in left_out["attack.pth"]
    assert "truncated" in left_out["broken.pth"]
    assert "Left out broken.pth" in written.summary
    assert "# Left out: attack.pth" in written.path.read_text(encoding="utf-8")
    assert not (folder / "attacked").exists()
    assert not Path("attacked").exists()


def test_it_needs_no_torch(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from convert.zoo.manifest.init import write_manifest; "
        "write_manifest(Path(sys.argv[1]), Path(sys.argv[2])); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(folder), str(tmp_path / "zoo.toml")], check=True)


def test_a_manifest_elsewhere_names_checkpoints_from_there(folder: Path, tmp_path: Path) -> None:
    written = write_manifest(folder, tmp_path / "sub" / "zoo.toml")
    zoo = load_zoo(written.path, date(2026, 11, 20))
    assert all((zoo.folder / model.task.source.location).is_file() for model in zoo.models)
    assert (zoo.folder / str(zoo.models[0].task.settings.calibration)).is_dir()


def test_a_manifest_that_is_there_is_never_overwritten(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "zoo.toml"
    target.write_text("mine")
    with pytest.raises(ManifestExists, match="exists, and is not overwritten"):
        write_manifest(folder, target)
    assert target.read_text() == "mine"


def test_a_folder_without_checkpoints_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"text")
    with pytest.raises(NoCheckpoints, match=r"holds no checkpoint; a\.bin: "):
        write_manifest(tmp_path, tmp_path / "zoo.toml")
