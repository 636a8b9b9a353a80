"""Train five small nets on handwritten digits, for zoo.toml: checkpoints, calibration and evaluation data.

Run it with `python examples/digits_zoo/make.py`; what it makes goes to build/ beside the manifest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
HELD_OUT, CALIBRATION = 400, 200


def main() -> None:
    folder = HERE / "build"
    folder.mkdir(exist_ok=True)

    sys.path[:0] = [str(HERE), str(HERE.parent / "digits")]
    from net import LeNet, digits, train
    from nets import AllConvolutional, Perceptron, Residual, Separable

    lessons: dict[str, tuple[Callable[[], torch.nn.Module], int]] = {
        "lenet": (LeNet, 10),
        "perceptron": (Perceptron, 12),
        "all_convolutional": (AllConvolutional, 8),
        "separable": (Separable, 8),
        "residual": (Residual, 6),
    }
    images, labels = digits()
    held_out, training = slice(0, HELD_OUT), slice(HELD_OUT, None)
    np.savez(folder / "calibration.npz", image=images[training][:CALIBRATION])
    np.savez(folder / "evaluation.npz", image=images[held_out])
    for name, (architecture, epochs) in lessons.items():
        net = train(images[training], labels[training], kind=architecture, epochs=epochs)
        torch.save(net.state_dict(), folder / f"{name}.pth")
        with torch.inference_mode():
            guessed = net(torch.from_numpy(images[held_out])).argmax(dim=1).numpy()
        print(
            f"{name:<18} {np.mean(guessed == labels[held_out]):6.2%} on {HELD_OUT} digits it has not seen", flush=True
        )


if __name__ == "__main__":
    main()
