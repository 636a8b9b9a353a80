"""Writes the float TFLite files of the quantizer's tests. A script, so that pytest itself stays free of TensorFlow."""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

FOLDER = Path(sys.argv[1])
RANDOM = np.random.default_rng(0)
IMAGE = tf.TensorSpec((None, 16, 16, 3), tf.float32, "image")


def normal(*shape: int, fan_in: int = 1) -> np.ndarray:
    return RANDOM.normal(0, (2 / fan_in) ** 0.5, shape).astype(np.float32)


def conv(x, channels: int, size: int = 3):
    fan_in = size * size * x.shape[-1]
    return tf.nn.conv2d(x, normal(size, size, x.shape[-1], channels, fan_in=fan_in), 1, "SAME") + normal(channels) * 0.1


def depthwise(x):
    return tf.nn.depthwise_conv2d(x, normal(3, 3, x.shape[-1], 1, fan_in=9), [1, 1, 1, 1], "SAME") + 0.1


def hard_swish(x):
    return x * tf.nn.relu6(x + 3) / 6


def padded_max_pool(x):
    padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=np.finfo(np.float32).min)
    return tf.nn.max_pool2d(padded, 3, 2, "VALID")


def squeeze_excite(x):
    squeezed = tf.reduce_mean(x, [1, 2], keepdims=True)
    return x * tf.sigmoid(conv(tf.nn.relu(conv(squeezed, 4, 1)), x.shape[-1], 1))


def classify(x):
    return {"logits": tf.matmul(tf.reduce_mean(x, [1, 2]), normal(x.shape[-1], 10, fan_in=x.shape[-1])) + 0.1}


def save(name: str, function, *specs: tf.TensorSpec) -> None:
    module = tf.Module()
    module.function = tf.function(function, autograph=False)
    concrete = module.function.get_concrete_function(*specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    (FOLDER / f"{name}.tflite").write_bytes(converter.convert())


def mixed(image):
    x = padded_max_pool(tf.nn.relu(conv(image, 8)))
    x = tf.concat([hard_swish(depthwise(x)), tf.nn.relu(conv(x, 8, 1))], -1)
    return classify(squeeze_excite(x))


def leaky(image):
    x = tf.nn.leaky_relu(conv(image, 8), 0.1)
    return classify(tf.nn.elu(conv(tf.atan2(x, tf.ones_like(x)), 8)))


def sine_edges(image):
    return {"activation": tf.sin(conv(tf.sin(image), 8))}


def tokens(ids):
    table = tf.constant(normal(50, 16))
    return {"scores": tf.matmul(tf.reduce_mean(tf.gather(table, ids), 1), normal(16, 10, fan_in=16)) + 0.1}


def plain(image):
    return classify(tf.nn.relu(conv(image, 8)))


def overflowing(image):
    weights = normal(3, 3, 3, 8)
    weights[0, 0, 0, 0] = 7e4
    return classify(tf.nn.relu(tf.nn.conv2d(image, weights, 1, "SAME")))


def dividing(image):
    x = tf.nn.relu(conv(image, 8))
    return classify(conv(x / (tf.reduce_mean(x, [3], keepdims=True) + 1e-3), 8))


def dead_channels(image):
    weights = normal(3, 3, 3, 8, fan_in=27)
    weights[..., 2] = 0
    weights[..., 5] = 1e-12
    bias = np.full(8, 0.5, np.float32)
    return classify(tf.nn.relu(conv(tf.nn.relu(tf.nn.conv2d(image, weights, 1, "SAME") + bias), 8)))


def attention(image, masked):
    rows = tf.reshape(image, (-1, 16, 48))
    queries, keys, values = (tf.matmul(rows, normal(48, 16, fan_in=48)) for _ in range(3))
    scores = masked(tf.matmul(queries, keys, transpose_b=True) / 4, rows)
    return {"mixed": tf.matmul(tf.nn.softmax(scores), values)}


FUTURE = np.triu(np.ones((16, 16), bool), 1)


def causal_attention(image):
    return attention(image, lambda scores, _: scores + np.where(FUTURE, -np.inf, 0).astype(np.float32))


def mildly_masked_attention(image):
    return attention(image, lambda scores, _: scores + np.where(FUTURE, -1e4, 0).astype(np.float32))


def filled_attention(image):
    return attention(image, lambda scores, _: tf.where(FUTURE, np.float32(-np.inf), scores))


def padded_attention(image):
    """As BERT has it: 1 for what is there, computed as the model runs."""

    def masked(scores, rows):
        there = tf.cast(rows[:, :, 0] < 1.0, tf.float32)
        return scores + tf.expand_dims((1.0 - there) * np.finfo(np.float32).min, 1)

    return attention(image, masked)


def unread_part(image):
    used, _, last = tf.split(conv(image, 24), 3, -1)
    return classify(tf.sigmoid(used) * tf.tanh(last))


def looping(image):
    _, x = tf.while_loop(lambda n, _: n < 3, lambda n, x: (n + 1, tf.tanh(x + 0.1)), (0, conv(image, 8)))
    return classify(x)


def mask(image):
    return {"mask": tf.image.resize(conv(image, 4), (512, 512))}


def uneven_conv(x, channels: int, size: int = 3):
    """Its channels differ in width a hundred times."""
    fan_in = size * size * x.shape[-1]
    weights = normal(size, size, x.shape[-1], channels, fan_in=fan_in) * np.logspace(-2, 0, channels, dtype=np.float32)
    return tf.nn.conv2d(x, weights, 1, "SAME") + normal(channels) * 0.01


def uneven(image):
    return classify(tf.nn.relu(conv(tf.nn.relu(uneven_conv(image, 8)), 8)))


def joined(image):
    x = tf.nn.max_pool2d(tf.nn.relu(uneven_conv(image, 8)), 2, 2, "VALID")
    x = tf.nn.relu(x + uneven_conv(x, 8))
    return classify(tf.nn.relu(conv(tf.concat([x, tf.nn.relu(uneven_conv(x, 4))], -1), 8)))


def grouped(image):
    x = tf.nn.relu(uneven_conv(image, 8))
    x = tf.nn.relu(depthwise(x))
    return classify(tf.nn.conv2d(x, normal(3, 3, 4, 8, fan_in=36), 1, "SAME") + 0.1)


def normalised(image):
    rows = tf.reshape(image, (-1, 16, 48))
    centred = rows - tf.reduce_mean(rows, -1, keepdims=True)
    x = centred * tf.math.rsqrt(tf.reduce_mean(centred * centred, -1, keepdims=True) + 1e-5)
    x = x * np.logspace(-2, 0, 48, dtype=np.float32) + normal(48) * 0.01
    return {"mixed": tf.nn.gelu(tf.matmul(x, normal(48, 16, fan_in=48)), True) + tf.matmul(x, normal(48, 16))}


def clipped(image):
    return classify(tf.nn.relu6(conv(tf.nn.relu6(uneven_conv(image, 8)), 8)))


def gated(image):
    x = uneven_conv(image, 8)
    x = conv(x * tf.sigmoid(x), 8)
    return classify(x * tf.sigmoid(x))


def strided(image):
    x = tf.nn.relu(tf.nn.conv2d(image, normal(5, 3, 3, 8, fan_in=45), [1, 2, 3, 1], "SAME") + 0.1)
    x = tf.nn.conv2d(x, normal(2, 3, 8, 12, fan_in=48), 1, "VALID", dilations=(1, 2, 1, 1)) + 0.1
    return classify(tf.nn.depthwise_conv2d(x, normal(3, 3, 12, 2, fan_in=9), [1, 2, 2, 1], "SAME") + 0.1)


def correlated(image):
    """Sixteen channels after each other hold nearly the same, as in wide layers of trained nets."""
    spread = np.repeat(np.eye(4, dtype=np.float32), 16, axis=1) + normal(4, 64) * 0.02
    x = tf.nn.relu(tf.nn.conv2d(tf.nn.relu(conv(image, 4)), spread[None, None], 1, "SAME") + 0.1)
    return classify(tf.nn.relu(conv(x, 16)))


def layer_norms(image):
    """Rows of very different size: what is quiet is nothing beside the others' squares in 8 bits."""
    loudness = np.geomspace(0.2, 5, 16).astype(np.float32)[:, None]
    x = tf.reshape(conv(image, 16), [-1, 16, 16 * 16]) * loudness
    x = dense(layer_norm(dense(x, 24)), 24)
    return classify(tf.reshape(layer_norm(x + layer_norm(x)), [-1, 16, 1, 24]))


def layer_norm(x):
    mean = tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), -1, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-6)


def dense(x, units):
    return tf.einsum("nrc,cu->nru", x, normal(x.shape[-1], units, fan_in=x.shape[-1]))


def norm_after_join(image):
    x = conv(image, 8)
    x = tf.concat([x, conv(tf.nn.relu(x), 8)], -1)
    return classify(tf.nn.relu(x * np.geomspace(0.1, 4, 16).astype(np.float32) + normal(16)))


def sliced(image):
    x = tf.nn.max_pool2d(tf.nn.relu(uneven_conv(image, 8)), 2, 2, "VALID")[:, 1:, :-1]
    return classify(tf.nn.relu(conv(x, 8)))


def branches(image):
    small = tf.nn.conv2d(image, normal(3, 3, 3, 4, fan_in=27) * 0.02, 1, "SAME")
    x = tf.concat([uneven_conv(image, 8), small], -1)
    return classify(tf.nn.relu(conv(x, 8, 1)))


def interleaved(image):
    widths = np.tile(np.logspace(-2, 0, 8, dtype=np.float32), 4)
    phases = tf.nn.conv2d(image, normal(3, 3, 3, 32, fan_in=27) * widths, 1, "SAME") + normal(32) * 0.01
    return classify(tf.nn.relu(conv(tf.nn.depth_to_space(tf.nn.relu(phases), 2), 8)))


def off_centre(image):
    """Two layers whose channels lie far from zero, their sum, and layers without padding that read it."""
    centres = np.linspace(-20, 20, 8, dtype=np.float32)
    x, y = (tf.nn.conv2d(image, normal(3, 3, 3, 8, fan_in=27), 1, "SAME") + centres for _ in range(2))
    x = x + y
    valid = tf.nn.conv2d(x, normal(3, 3, 8, 4, fan_in=72), 1, "VALID") + 0.1
    return classify(tf.concat([tf.nn.relu(valid), tf.nn.relu(conv(x, 8, 1)[:, 1:-1, 1:-1])], -1))


save("mixed", mixed, IMAGE)
save("leaky", leaky, IMAGE)
save("sine_edges", sine_edges, IMAGE)
save("tokens", tokens, tf.TensorSpec((None, 6), tf.int32, "ids"))
save("plain", plain, IMAGE)
save("fixed_batch", plain, tf.TensorSpec((2, 16, 16, 3), tf.float32, "image"))
save("overflowing", overflowing, IMAGE)
save("dividing", dividing, IMAGE)
save("dead_channels", dead_channels, IMAGE)
save("causal_attention", causal_attention, IMAGE)
save("mildly_masked_attention", mildly_masked_attention, IMAGE)
save("filled_attention", filled_attention, IMAGE)
save("padded_attention", padded_attention, IMAGE)
save("unread_part", unread_part, IMAGE)
save("looping", looping, IMAGE)
save("mask", mask, IMAGE)
for each in (
    uneven,
    joined,
    grouped,
    normalised,
    clipped,
    gated,
    strided,
    correlated,
    layer_norms,
    norm_after_join,
    sliced,
    branches,
    interleaved,
    off_centre,
):
    save(each.__name__, each, IMAGE)
