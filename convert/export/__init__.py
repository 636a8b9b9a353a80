"""PyTorch module → ONNX file: torch's newer exporter, fast where that is exact; the older one as a stated fallback."""
