"""A library's net and its checkpoint through litert-torch, as its own documentation has it: a dozen lines, float32.

    .venv-peers/bin/python benchmarks/peers/litert_torch_convert.py torchvision:NAME NET.pth OUT.tflite 1,3,224,224

Runs in the environment of `make peers` and imports nothing of ours.
"""

from __future__ import annotations

import sys

import torch

# torchvision comes built for CUDA: beside a CPU torch its import wants these two operators.
LIBRARY = torch.library.Library("torchvision", "DEF")
for schema in (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
):
    try:
        LIBRARY.define(schema)
    except RuntimeError:  # a torchvision that matches brings its own
        break


def build(architecture: str, checkpoint: str) -> torch.nn.Module:
    library, _, name = architecture.partition(":")
    if library == "timm":
        import timm

        net = timm.create_model(name)
    else:
        import torchvision

        net = torchvision.models.get_model(name, weights=None)
    missing = net.load_state_dict(torch.load(checkpoint, weights_only=True), strict=False).missing_keys
    aside = [key for key in missing if not key.startswith(("aux", "AuxLogits"))]
    if aside:
        raise SystemExit(f"the checkpoint lacks {', '.join(aside[:3])}")
    return net.eval()


def main(architecture: str, checkpoint: str, out: str, shape: str) -> None:
    import litert_torch

    net = build(architecture, checkpoint)
    sample = torch.randn(*map(int, shape.split(",")))
    litert_torch.convert(net, (sample,)).export(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
