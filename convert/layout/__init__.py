"""Channels-last layout, carried by every value during lowering.

ONNX thinks in ``(batch, channels, height, width)``, TensorFlow's kernels in ``(batch, height, width, channels)``. A
pass over the graph that writes transposes around every spatial op and then pushes them until they cancel needs a rule
for each op it pushes through, and a proof that nothing is left over. Here each value instead *says* how it is stored
(:class:`~convert.layout.layout.Layout`), an op takes it as it is where it can, and a transpose is written only where
an op cannot. That is the easiest to read of the ways that give the same graph: an ONNX Transpose is a relabelling and
costs nothing, the spatial ops of a CNN agree with each other without a word, and a flattened feature map keeps its
stored order until a matrix product with constant weights absorbs it into the order of its rows.
"""
