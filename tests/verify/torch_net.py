"""The net of make_tf_models.py and make_onnx_model.py in PyTorch, from the same seeds; as a script it writes its files.

``net.pth`` is its state_dict, ``net.pt2`` an exported program whose batch is free.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(0)
        kernel = random.normal(0, 0.3, (3, 3, 3, 32)).astype(np.float32)
        self.kernel = nn.Parameter(torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))))
        self.embedding = nn.Parameter(torch.from_numpy(random.normal(0, 1, (10, 32)).astype(np.float32)))
        self.dense = nn.Parameter(torch.from_numpy(random.normal(0, 0.3, (32, 40)).astype(np.float32)))

    def forward(self, image, token):
        features = torch.relu(torch.nn.functional.conv2d(image, self.kernel, padding=1))
        pooled = features.mean((2, 3)) + torch.nn.functional.embedding(token, self.embedding)
        return {"features": features, "logits": pooled @ self.dense}


def write_files(folder: Path) -> None:
    net = Net().eval()
    torch.save(net.state_dict(), folder / "net.pth")
    batch = torch.export.Dim("N")
    examples = torch.zeros(2, 3, 8, 6), torch.zeros(2, dtype=torch.int64)
    program = torch.export.export(net, examples, dynamic_shapes=({0: batch}, {0: batch}))
    torch.export.save(program, folder / "net.pt2")


if __name__ == "__main__":
    write_files(Path(sys.argv[1]))
