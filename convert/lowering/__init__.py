"""ONNX op → TensorFlow, exactly, one op family a file; nothing guessed."""
