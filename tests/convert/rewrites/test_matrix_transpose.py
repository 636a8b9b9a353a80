from __future__ import annotations

import pytest
from rewritten import Rewritten

MERGED = "merged = Constant <value_ints = [-1, 5, 4]> () a = Reshape(x, merged) b = Transpose <perm = [0, 2, 1]> (a)"


def _net(back: str, output: str) -> Rewritten:
    shape = f"s = Constant <value_ints = [{back}]> ()"
    return Rewritten(f"net (float[N, 3, 5, 4] x) => ({output}) {{ {MERGED} {shape} y = Reshape(b, s) }}")


def test_each_matrix_of_a_stack_is_transposed_where_it_lies():
    net = _net("-1, 3, 4, 5", "float[N, 3, 4, 5] y")

    assert net.ops == {"Transpose": 1}
    assert net.attribute("Transpose", "perm") == [0, 1, 3, 2]
    assert net.difference() == 0


def test_a_value_read_between_the_reshapes_stays():
    body = f"{MERGED} s = Constant <value_ints = [-1, 3, 4, 5]> () z = Relu(b)"
    net = Rewritten(
        f"net (float[N, 3, 5, 4] x) => (float[N, 3, 4, 5] y, float[M, 4, 5] z) {{ {body} y = Reshape(b, s) }}"
    )

    assert net.ops["Reshape"] == 2
    assert net.difference() == 0


@pytest.mark.parametrize(
    ("shape", "output"),
    [
        ("-1, 3, 5, 4", "float[N, 3, 5, 4] y"),
        ("-1, 1, 4, 5", "float[M, 1, 4, 5] y"),
        ("-1, 4, 15", "float[N, 4, 15] y"),
    ],
)
def test_other_sizes_afterwards_stay(shape, output):
    net = _net(shape, output)

    assert net.ops["Reshape"] == 2
    assert net.difference() == 0


def test_torchs_own_spelling_with_sizes_from_the_shape_is_one_transpose():
    body = """
        shape = Shape(x) first = Constant <value_ints = [0]> () rows = Constant <value_ints = [-2]> ()
        columns = Constant <value_ints = [-1]> () end = Constant <value_ints = [9223372036854775807]> ()
        leading = Slice(shape, first, rows) height = Slice(shape, rows, columns) width = Slice(shape, columns, end)
        merged = Concat <axis = 0> (columns, height, width) a = Reshape(x, merged)
        b = Transpose <perm = [0, 2, 1]> (a) split = Concat <axis = 0> (leading, width, height) c = Reshape(b, split)
        y = Relu(c)
    """
    net = Rewritten(f"net (float[N, 3, 5, 4] x) => (float[N, 3, 4, 5] y) {{ {body} }}")

    assert net.ops == {"Transpose": 1, "Relu": 1}
    assert net.difference() == 0
