"""Files of every format, made once by the frameworks themselves, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from nets import TinyMobileNet, ready


@pytest.fixture(scope="session")
def tf_files(tmp_path_factory) -> Path:
    """A folder with ``frozen.pb`` and ``{loop,flex,fixed_int8}.tflite``; see make_tf_files.py."""
    folder = tmp_path_factory.mktemp("tf_files")
    script = Path(__file__).with_name("make_tf_files.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def torch_files(tmp_path_factory) -> Path:
    """``net.onnx`` (older exporter, dynamic batch), ``net.pt2`` and ``net.pth`` of one small MobileNet."""
    folder = tmp_path_factory.mktemp("torch_files")
    net = ready(TinyMobileNet)
    image = torch.zeros(2, 3, 32, 32)
    torch.save(net.module.state_dict(), folder / "net.pth")
    batch = torch.export.Dim("batch")
    torch.export.save(torch.export.export(net.module, (image,), dynamic_shapes=({0: batch},)), folder / "net.pt2")
    torch.onnx.export(
        net.module,
        (image,),
        str(folder / "net.onnx"),
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}},
        dynamo=False,
    )
    return folder
