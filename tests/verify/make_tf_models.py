"""Writes the small TensorFlow and TFLite models of the runner tests; run as a script, so that pytest stays free of TF.

A convolution net with two image-like tensors (channels-last), an integer input and two outputs; every weight is seeded.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

FOLDER = Path(sys.argv[1])


class Net(tf.Module):
    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self.kernel = tf.Variable(random.normal(0, 0.3, (3, 3, 3, 32)).astype(np.float32))
        self.embedding = tf.Variable(random.normal(0, 1, (10, 32)).astype(np.float32))
        self.dense = tf.Variable(random.normal(0, 0.3, (32, 40)).astype(np.float32))

    @tf.function(autograph=False)
    def __call__(self, image, token):
        features = tf.nn.relu(tf.nn.conv2d(image, self.kernel, 1, "SAME"))
        pooled = tf.reduce_mean(features, [1, 2]) + tf.gather(self.embedding, token)
        return {"features": features, "logits": tf.matmul(pooled, self.dense)}


net = Net()
serving = net.__call__.get_concrete_function(
    tf.TensorSpec((None, 8, 6, 3), tf.float32, "image"), tf.TensorSpec((None,), tf.int32, "token")
)
saved_model = str(FOLDER / "net_saved_model")
tf.saved_model.save(net, saved_model, signatures={"serving_default": serving})


def representative_dataset():
    random = np.random.default_rng(1)
    for index in range(16):
        yield {
            "image": random.normal(0, 1, (1, 8, 6, 3)).astype(np.float32),
            "token": np.array([index % 10], np.int32),
        }


def convert(name: str, **options: object) -> None:
    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    for option, value in options.items():
        setattr(converter, option, value)
    (FOLDER / name).write_bytes(converter.convert())


convert("net_float32.tflite")
convert("net_dynamic_int8.tflite", optimizations=[tf.lite.Optimize.DEFAULT])
convert(
    "net_int8.tflite",
    optimizations=[tf.lite.Optimize.DEFAULT],
    representative_dataset=representative_dataset,
    inference_input_type=tf.int8,
    inference_output_type=tf.int8,
)
