"""Whatever a model returns becomes the same flat row of names for the exporter and for the reference."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import pytest

from verify.errors import InputError
from verify.runners.flatten import flatten_outputs, named_outputs

Pair = namedtuple("Pair", ["logits", "aux"])


@dataclass
class Output:
    scores: object
    hidden: object = None


@pytest.mark.parametrize(
    ("returned", "names"),
    [
        (1, ["output"]),
        ((1,), ["output"]),
        ([1, 2], ["output_0", "output_1"]),
        ({"logits": 1, "aux": 2}, ["logits", "aux"]),
        ({"logits": 1}, ["logits"]),
        (OrderedDict(out=1, aux=2), ["out", "aux"]),
        (Pair(1, 2), ["logits", "aux"]),
        (Pair(1, None), ["logits"]),
        (Output(1), ["scores"]),
        ((1, [2, 3]), ["output_0", "output_1", "output_2"]),
        ({"boxes": (1, 2), "mask": 3}, ["boxes_0", "boxes_1", "mask"]),
        ((1, {"aux": 2}, None), ["output_0", "1_aux"]),
        ({0: 1, 1: 2}, ["0", "1"]),
    ],
)
def test_leaves_are_named_by_their_keys_else_by_their_place(returned, names):
    assert [name for name, _ in flatten_outputs(returned)] == names
    assert [leaf for _, leaf in flatten_outputs(returned)] == list(range(1, len(names) + 1))


def test_names_never_repeat():
    names = [name for name, _ in flatten_outputs({"a_0": 1, "a": (2, 3)})]
    assert len(set(names)) == 3


def test_chosen_names_replace_the_models_own():
    assert named_outputs({"logits": 1, "aux": 2}, ("a", "b")) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [(("a",), r"1 output names were given \(a\), but the model has 2: logits, aux"), (("a", "a"), "must differ")],
)
def test_names_that_do_not_fit_are_refused(chosen, message):
    with pytest.raises(InputError, match=message):
        named_outputs({"logits": 1, "aux": 2}, chosen)
