"""ONNX graphs of clips and of computed positions, for tests of the lowering in LiteRT."""

from __future__ import annotations

from pathlib import Path

from make_onnx_graphs import Graph


def depthwise_clip(path: Path, *, stride: int) -> Path:
    """A depthwise convolution over frames, height and width, as MViT pools its queries and keys."""
    g = Graph()
    clip = g.input("clip", ["N", 6, 5, 8, 7])
    weights = g.weight("pool.weight", 6, 1, 3, 3, 3)
    g.node(
        "Conv",
        clip,
        weights,
        g.weight("pool.bias", 6),
        group=6,
        strides=[1, stride, stride],
        pads=[1] * 6,
        out="pooled",
    )
    g.output("pooled", ["N", 6, "T", "H", "W"])
    return g.save(path)


def pooled_clip(path: Path, *, kernel: int, stride: int, pad: int, ceil_mode: int) -> Path:
    """Max and average pools over frames, height and width.

    Padding that counts is left to onnx's own cases: onnxruntime 1.23 divides the last rows' sums over three axes by the
    elements inside, where its own results over two axes and onnx's reference count the padding.
    """
    g = Graph()
    clip = g.input("clip", ["N", 3, 6, 9, 7])
    x = g.node("Conv", clip, g.weight("stem.weight", 4, 3, 1, 1, 1))
    window = {"kernel_shape": [2, kernel, kernel], "strides": [1, stride, stride], "ceil_mode": ceil_mode}
    window["pads"] = [0, pad, pad] * 2
    pooled = [g.node("MaxPool", x, **window), g.node("AveragePool", x, count_include_pad=0, **window)]
    g.node("Concat", *pooled, axis=1, out="pooled")
    g.output("pooled", ["N", 8, "T", "H", "W"])
    return g.save(path)


def sampled(path: Path, *, mode: str, padding: str, align_corners: int) -> Path:
    """An image read at positions that are an input, inside and outside of it."""
    g = Graph()
    image, grid = g.input("image", ["N", 3, 6, 7]), g.input("grid", ["N", 4, 5, 2])
    g.node("GridSample", image, grid, mode=mode, padding_mode=padding, align_corners=align_corners, out="sampled")
    g.output("sampled", ["N", 3, 4, 5])
    return g.save(path)
