"""Train a LeNet on handwritten digits, convert it, and compare PyTorch, float32 and int8 on digits it has not seen.

Run it with `make demo`; what it makes goes to the folder given as its argument (default: build/demo).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from net import digits, train

HERE = Path(__file__).parent
HELD_OUT, CALIBRATION = 400, 200


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/demo"))
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)

    images, labels = digits()
    held_out, training = slice(0, HELD_OUT), slice(HELD_OUT, None)
    print("training a LeNet on scikit-learn's handwritten digits …", flush=True)
    net = train(images[training], labels[training])
    checkpoint = folder / "lenet.pth"
    torch.save(net.state_dict(), checkpoint)
    np.savez(folder / "calibration.npz", image=images[training][:CALIBRATION])

    command = ["pth2tflite", str(checkpoint)]
    command += ["--arch", f"{os.path.relpath(HERE / 'net.py')}:LeNet", "--input", "image=N,1,28,28"]
    command += ["--calib", str(folder / "calibration.npz"), "--output", str(folder / "lenet")]
    print(f"$ convert {' '.join(command)}", flush=True)
    status = subprocess.run([sys.executable, "-m", "convert", *command], check=False).returncode
    if status != 0:
        return status

    print(f"\ntop-1 on {HELD_OUT} held-out digits")
    print(f"  PyTorch          {accuracy(torch_labels(net, images[held_out]), labels[held_out]):6.2%}")
    for name in ("float32", "int8"):
        model = folder / "lenet" / f"lenet_{name}.tflite"
        guessed = tflite_labels(model, images[held_out])
        print(f"  TFLite {name:<8}  {accuracy(guessed, labels[held_out]):6.2%}   {model.stat().st_size / 1024:.0f} KiB")
    print(f"\nopen {folder / 'lenet' / 'report.html'} in a browser for the whole story")
    return 0


def torch_labels(net: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return net(torch.from_numpy(images)).argmax(dim=1).numpy()


def tflite_labels(model: Path, images: np.ndarray) -> np.ndarray:
    """What a phone would answer: the file alone, through its signature, one image at a time."""
    interpreter = Interpreter(str(model))
    runner = interpreter.get_signature_runner("serving_default")
    ((name, given),) = runner.get_input_details().items()
    scale, zero_point = given["quantization"]
    labels = []
    stored = images.transpose(0, 2, 3, 1)
    if given["dtype"] == np.int8:
        stored = np.clip(np.rint(stored / scale) + zero_point, -128, 127)
    for image in stored.astype(given["dtype"]):
        ((_, logits),) = runner(**{name: image[None]}).items()
        labels.append(int(logits.argmax()))
    return np.asarray(labels)


def accuracy(guessed: np.ndarray, labels: np.ndarray) -> float:
    return float((guessed == labels).mean())


if __name__ == "__main__":
    sys.exit(main())
