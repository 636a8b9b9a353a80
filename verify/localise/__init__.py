"""Where two models first part: their tensors aligned, each layer's own error, the first that goes wrong by itself."""
