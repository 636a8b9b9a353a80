"""Einsum in all its forms, in TensorFlow and in LiteRT, against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from both_roads import run_node

from verify.worker import Worker

EQUATIONS = (
    ("bhid,bhjd->bhij", [(2, 3, 4, 5), (2, 3, 6, 5)]),
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
    ("ij,jk", [(3, 4), (4, 5)]),
    ("i,i->", [(4,), (4,)]),
    ("ij,ij->i", [(3, 4), (3, 4)]),
    ("i,j->ij", [(4,), (5,)]),
    ("ij->ji", [(3, 4)]),
    ("ij->i", [(3, 4)]),
    ("ij->", [(3, 4)]),
    ("ii->i", [(4, 4)]),
    ("...ii->...i", [(2, 3, 4, 4)]),
    ("...ij,...jk->...ik", [(2, 3, 4, 5), (2, 3, 5, 6)]),
    ("bi,bj,bk->bijk", [(2, 3), (2, 4), (2, 5)]),
    ("bnd,ed,be->bn", [(2, 3, 4), (5, 4), (2, 5)]),
    ("bid,bjd->bij", [(4, 4, 4), (4, 4, 4)]),
)


@pytest.mark.parametrize(("equation", "shapes"), EQUATIONS, ids=[equation for equation, _ in EQUATIONS])
def test_einsum_sums_what_the_equation_says(
    worker: Worker, tmp_path: Path, equation: str, shapes: list[tuple[int, ...]]
) -> None:
    random = np.random.default_rng(0)
    operands = {f"x{i}": random.standard_normal(shape).astype(np.float32) for i, shape in enumerate(shapes)}
    expected = np.einsum(equation, *(operand.astype(np.float64) for operand in operands.values()))

    for actual in run_node(worker, tmp_path, "Einsum", operands, expected.shape, equation=equation):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)
