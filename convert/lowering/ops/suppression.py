"""Non-maximum suppression, as a loop over boxes by falling score; all batches and classes side by side."""

from __future__ import annotations

import tensorflow as tf

from convert.layout.value import Tensor, Value, constant
from convert.lowering.call import Call
from convert.lowering.registry import lowers


@lowers("NonMaxSuppression")
def non_max_suppression(call: Call) -> Value:
    """Rows ``(batch, class, box)`` of the boxes kept, by falling score in each class.

    TFLite's own op suppresses at an overlap that equals the threshold, ONNX's only above it.
    """
    most = call.require_constant(2, "the number of boxes").item() if call.has(2) else 0
    if most <= 0:
        return constant(tf.zeros([0, 3], tf.int64).numpy())
    boxes, scores = call.tensor(0), call.tensor(1)
    threshold = _scalar(call, 3)
    count = tf.shape(scores)[2]
    sorted_scores, order = tf.math.top_k(scores, count)
    edges = _edges(tf.gather(boxes, order, batch_dims=1), centred=bool(call.integer("center_point_box", 0)))
    candidates = tf.ones_like(scores)
    if call.has(4):
        candidates = tf.cast(sorted_scores > _scalar(call, 4), scores.dtype)
    kept = _keep(edges, candidates, threshold, count, float(min(most, 2**24)))
    places = tf.where(kept > 0.5)
    picked = tf.gather_nd(order, tf.cast(places, tf.int32))
    return call.result(tf.concat([places[:, :2], tf.cast(picked, tf.int64)[:, None]], axis=1))


def _scalar(call: Call, index: int) -> Tensor | float:
    if not call.has(index):
        return 0.0
    known = call.constant(index)
    return float(known.reshape(-1)[0]) if known is not None else tf.reshape(call.tensor(index), [])


def _edges(boxes: Tensor, *, centred: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Low and high edges along both axes, each ``(batch, class, box)``."""
    a, b, c, d = (boxes[..., index] for index in range(4))
    if centred:
        return a - c / 2.0, a + c / 2.0, b - d / 2.0, b + d / 2.0
    return tf.minimum(a, c), tf.maximum(a, c), tf.minimum(b, d), tf.maximum(b, d)


def _keep(
    edges: tuple[Tensor, ...], candidates: Tensor, threshold: Tensor | float, count: Tensor, most: float
) -> Tensor:
    """1 for each box that is kept, 0 elsewhere."""
    low_a, high_a, low_b, high_b = edges
    area = (high_a - low_a) * (high_b - low_b)
    numbers = tf.range(count)

    def overlaps(index: Tensor) -> Tensor:
        """Where the box overlaps with another by more than the threshold."""
        mine = [tf.gather(edge, [index], axis=2) for edge in (*edges, area)]
        sides = (
            tf.minimum(high_a, mine[1]) - tf.maximum(low_a, mine[0]),
            tf.minimum(high_b, mine[3]) - tf.maximum(low_b, mine[2]),
        )
        shared = tf.maximum(sides[0], 0.0) * tf.maximum(sides[1], 0.0)
        union = area + mine[4] - shared
        is_real = (shared > 0.0) & (area > 0.0) & (mine[4] > 0.0) & (union > 0.0)
        ratio = shared / tf.where(union > 0.0, union, tf.ones_like(union))
        return tf.cast(is_real & (ratio > threshold), area.dtype)

    def step(index: Tensor, alive: Tensor, kept: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        room = tf.cast(tf.reduce_sum(kept, 2, keepdims=True) < most, area.dtype)
        taken = tf.gather(alive, [index], axis=2) * room
        here = tf.cast(tf.equal(numbers, index), area.dtype)
        return index + 1, alive * (1.0 - taken * overlaps(index)), kept + taken * here

    state = (tf.constant(0), candidates, tf.zeros_like(candidates))
    return tf.while_loop(lambda index, *_: index < count, step, state)[2]
