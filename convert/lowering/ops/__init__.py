"""One file an op family; each function says in TensorFlow what an ONNX op's definition says."""
