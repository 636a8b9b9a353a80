"""One file an ONNX graph rewrite: what it matches, why it is exact, which case asked for it."""
