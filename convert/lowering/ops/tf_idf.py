"""TfIdfVectorizer on numbers: how often each n-gram of a vocabulary comes in a row of tokens."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import tensorflow as tf

from convert.layout.dims import Dim
from convert.layout.value import Array, Tensor, Value
from convert.lowering.call import Call
from convert.lowering.registry import lowers


@lowers("TfIdfVectorizer")
def tf_idf_vectorizer(call: Call) -> Value:
    """Counts (``TF``), weights of what comes (``IDF``), or counts times weights; tokens between may be skipped."""
    value, pool = call.value(0), call.integers("pool_int64s")
    if pool is None or value.rank not in (1, 2) or isinstance(value.sizes[-1], Dim):
        call.refuse("a vocabulary of text, or rows of dynamic length")
    tokens = call.tensor(0)
    tokens = tf.expand_dims(tokens, 0) if value.rank == 1 else tokens
    counts = tf.concat(_counts(call, tokens, int(str(value.sizes[-1])), np.asarray(pool)), axis=1)
    places = np.asarray(call.integers("ngram_indexes"))
    order = np.full(places.max() + 1, -1)
    order[places] = np.arange(len(places))
    if (order < 0).any():
        call.refuse("indices of n-grams with gaps")
    y = tf.cast(tf.gather(counts, order.astype(np.int32), axis=1), tf.float32)
    attribute = call.node.attributes.get("weights")
    mode = call.text("mode", "TF")
    if mode != "TF":
        weights = np.ones(len(places)) if attribute is None else np.asarray(attribute.as_floats())
        y = (tf.minimum(y, 1.0) if mode == "IDF" else y) * weights[order].astype(np.float32)
    return call.result(tf.squeeze(y, 0) if value.rank == 1 else y)


def _counts(call: Call, tokens: Tensor, length: int, pool: Array) -> list[Tensor]:
    """For each size of n-gram, ``(rows, n-grams of that size)``."""
    starts = [*(call.integers("ngram_counts") or ()), len(pool)]
    shortest, longest = call.integer("min_gram_length", 1), call.integer("max_gram_length", 1)
    counts = []
    for size, (first, end) in enumerate(pairwise(starts), start=1):
        grams = pool[first:end].reshape(-1, size)
        total = tf.zeros_like(tokens[:, :1], tf.int32) + tf.zeros([1, len(grams)], tf.int32)
        steps = range(1, call.integer("max_skip_count", 0) + 2) if size > 1 else (1,)
        for step in steps if shortest <= size <= longest and len(grams) else ():
            positions = np.arange(max(length - step * (size - 1), 0))[:, None] + np.arange(size) * step
            if positions.size:
                total = total + _matches(tf.gather(tokens, positions.astype(np.int32), axis=1), grams)
        counts.append(total)
    return counts


def _matches(windows: Tensor, grams: Array) -> Tensor:
    """How many windows ``(rows, positions, size)`` are each of the n-grams ``(n-grams, size)``."""
    equal = None
    for place in range(grams.shape[1]):
        token = tf.constant(grams[:, place], windows.dtype)
        same = tf.equal(windows[:, :, place, None], token)
        equal = same if equal is None else tf.logical_and(equal, same)
    return tf.reduce_sum(tf.cast(equal, tf.int32), 1)
