"""Stepping a cell along the time axis: written out step by step, or several steps a turn of a WHILE.

LiteRT's fused UNIDIRECTIONAL_SEQUENCE_LSTM is not used. Its kernel demands that its two states be variable tensors of
the file: they are sized for one batch when the file is written, keep their numbers from one run to the next (hence
Keras's advice to call ``reset_all_variables``), and can be neither given nor read. ONNX's LSTM starts every run from
its own initial states, at any batch.

How many steps stand in one turn is a matter of cost (LiteRT 2.1, one thread, batch 1; ms for each kind):

====  ======  =======  ==========  ====================  ==============  ========
time  hidden  weights  all steps   1 step, all outputs   1, last output  several
====  ======  =======  ==========  ====================  ==============  ========
20    64      64 KB    0.04        0.05                  0.04            0.04
100   64      64 KB    0.18        0.34                  0.18            0.21
20    256     1 MB     0.58..1.2   0.40                  0.37            0.37 (4)
100   256     1 MB     9.0         2.5                   1.8             2.0 (4)
====  ======  =======  ==========  ====================  ==============  ========

XNNPACK packs the weights of each FULLY_CONNECTED anew, so written-out steps cost memory and cache as soon as their
packed copies are more than a few megabytes; and a turn that keeps every output copies all of them, so few turns are
better than many. A short time over small weights is written out whole, which quantizers understand best as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from convert.layout.value import Tensor

MOST_STEPS_A_TURN = 32
MOST_PACKED_BYTES = 4 * 2**20

States = tuple[Tensor, ...]
Step = Callable[[Tensor, States, "Tensor | int"], tuple[Tensor, States]]
"""(input of the step, states, time) → (output of the step, states)."""
Room = Callable[[], Tensor]
Walked = tuple["Tensor | None", States]
"""Every step's output, ``None`` if nobody wants them, and the last states."""


@dataclass(frozen=True)
class Course:
    """How a sequence is walked: along which axis of its storage, how many steps, from which end."""

    axis: int
    steps: Tensor | int
    reverse: bool
    steps_per_turn: int

    @property
    def is_written_out(self) -> bool:
        """Whether there is no loop at all."""
        return isinstance(self.steps, int) and self.steps_per_turn == self.steps


def steps_per_turn(steps: Tensor | int, weight_bytes: int) -> int:
    """The largest number that divides the steps evenly and keeps a turn small; 1 for a dynamic time."""
    if not isinstance(steps, int):
        return 1
    most = max(1, min(MOST_STEPS_A_TURN, MOST_PACKED_BYTES // max(weight_bytes, 1), steps))
    return max(count for count in range(1, most + 1) if steps % count == 0)


def walk(inputs: Tensor, states: States, step: Step, course: Course, room: Room | None) -> Walked:
    """Every step's output, stacked along the axis of time where it was in ``inputs``, and the last states.

    ``room`` makes a tensor of the outputs' shape for a loop to fill; ``None`` if nobody wants them.
    """
    if course.is_written_out:
        return _several(tf.unstack(inputs, axis=course.axis), states, step, course, 0, keep=room is not None)
    return _turns(inputs, states, step, course, None if room is None else room())


def _several(
    inputs: Sequence[Tensor], states: States, step: Step, course: Course, first: Tensor | int, *, keep: bool
) -> Walked:
    outputs = {}
    order = range(len(inputs))
    for place in reversed(order) if course.reverse else order:
        outputs[place], states = step(inputs[place], states, first + place)
    return tf.stack([outputs[place] for place in order], course.axis) if keep else None, states


def _turns(inputs: Tensor, states: States, step: Step, course: Course, kept: Tensor | None) -> Walked:
    """Each turn pushes its outputs in at one end of ``kept`` and as many out at the other."""
    count, axis = course.steps_per_turn, course.axis
    turns = course.steps if count == 1 else course.steps // count
    chunked = _chunked(inputs, axis, turns, count)

    def turn(index: Tensor, *loop: Tensor) -> tuple[Tensor, ...]:
        place = turns - 1 - index if course.reverse else index
        chunk = tf.gather(chunked, place, axis=axis)
        steps = tf.unstack(chunk, axis=axis) if count > 1 else [chunk]
        keep = kept is not None
        outputs, after = _several(steps, loop[: len(states)], step, course, place * count, keep=keep)
        pushed = (_pushed(loop[-1], outputs, course),) if keep else ()
        return (index + 1, *after, *pushed)

    start = (tf.constant(0), *states, *(() if kept is None else (kept,)))
    end = tf.while_loop(lambda index, *_: index < turns, turn, start)
    return end[-1] if kept is not None else None, end[1 : 1 + len(states)]


def _chunked(inputs: Tensor, axis: int, turns: Tensor | int, count: int) -> Tensor:
    """The time axis as turns and steps of a turn."""
    if count == 1:
        return inputs
    sizes = inputs.shape.as_list()
    chunked = [*sizes[:axis], turns, count, *sizes[axis + 1 :]]
    return tf.reshape(inputs, [-1 if size is None else size for size in chunked])


def _pushed(kept: Tensor, outputs: Tensor, course: Course) -> Tensor:
    whole = [slice(None)] * kept.shape.rank
    count = course.steps_per_turn
    whole[course.axis] = slice(None, -count) if course.reverse else slice(count, None)
    rest = kept[tuple(whole)]
    pushed = tf.concat([outputs, rest] if course.reverse else [rest, outputs], course.axis)
    pushed.set_shape(kept.shape)
    return pushed
