"""A line of Python that reads the data is refused with what would help at that line."""

from __future__ import annotations

import pytest

from convert.export.data_dependent import remedy


@pytest.mark.parametrize(
    ("code", "helps"),
    [
        ("if x.sum() > 0:", "torch.cond(predicate"),
        ("elif score > 0.5:", "torch.where(condition"),
        ("return x if x.max() > 0 else -x", "torch.cond(predicate"),
        ("while x.norm() > 1:", "export one turn as a model of its own"),
        ("for step in range(int(lengths.max())):", "an argument of the class (--arch-arg)"),
        ("for left, right in tree.tolist():", "an argument of the class (--arch-arg)"),
        ("hidden = nodes[parent]", "export the cell alone"),
        ("x = self.experts[int(gate.argmax())](x)", "compute every candidate"),
        ("k = gate.item()", "keep the number in a tensor"),
        ("rows = mask.nonzero()", "the number of selected elements"),
        ("assert x.max() < 10", "torch._check"),
    ],
)
def test_the_remedy_is_that_of_the_line(code: str, helps: str) -> None:
    assert helps in remedy(f"net.py:31, in forward: {code}")


def test_without_a_line_the_branch_is_the_likeliest() -> None:
    assert "torch.where" in remedy(None)
