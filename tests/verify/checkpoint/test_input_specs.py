"""``--input`` is read as written, and what cannot be meant is refused with the fix."""

from __future__ import annotations

import pytest

from verify.checkpoint.input_specs import image_input, parse_input, resolve_inputs
from verify.errors import InputSpecInvalid
from verify.samples import ImagePreprocessing, InputSpec


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("image=N,1,28,28", InputSpec("image", ("N", 1, 28, 28))),
        ("ids=N,16:int64:0..29999", InputSpec("ids", ("N", 16), "int64", 0, 29999)),
        ("x=B,4:float32:-1..1", InputSpec("x", ("N", 4), "float32", -1, 1)),
        ("x=N,3,H,W", InputSpec("x", ("N", 3, "H", "W"))),
        ("mask=N,16:bool", InputSpec("mask", ("N", 16), "bool")),
    ],
)
def test_input_is_read(text: str, spec: InputSpec) -> None:
    assert parse_input(text) == spec


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("N,3,224,224", "has no NAME="),
        ("x=", "no list of sizes"),
        ("x=N,3,-4", "no list of sizes"),
        ("x=N,0", "a size is 0"),
        ("x=N,4:float128", "float128 is none of"),
        ("x=N,4:int64", "has no range"),
        ("x=N,4:int64:9..0", "9 is above 0"),
        ("x=N,4:int64:a..b", "is no LOW..HIGH"),
        ("x=1,3,8,8", "the first size is the batch"),
    ],
)
def test_input_that_cannot_be_meant_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputSpecInvalid, match=words):
        parse_input(text)


def test_fixed_batch_gets_the_corrected_text() -> None:
    with pytest.raises(InputSpecInvalid) as raised:
        parse_input("image=1,3,8,8")
    assert raised.value.fix == "write N in its place: image=N,3,8,8"


def test_inputs_named_after_parameters_take_their_order() -> None:
    specs = resolve_inputs(("b=N,2", "a=N,1"), ("a", "b"), 2, ())
    assert [spec.name for spec in specs] == ["a", "b"]


def test_other_names_go_by_position() -> None:
    specs = resolve_inputs(("left=N,2", "right=N,1"), ("a", "b"), 2, ())
    assert [spec.name for spec in specs] == ["left", "right"]


def test_wrong_number_of_inputs_says_what_forward_takes() -> None:
    with pytest.raises(InputSpecInvalid, match=r"1 inputs are given \(a\) and the model's forward takes 2: a, b"):
        resolve_inputs(("a=N,2",), ("a", "b"), 2, ())


def test_an_optional_input_in_between_has_to_be_given() -> None:
    assert len(resolve_inputs(("ids=N,4", "mask=N,4"), ("ids", "mask", "types"), 1, ())) == 2
    with pytest.raises(InputSpecInvalid, match=r"ids, types are given, and mask before the last") as raised:
        resolve_inputs(("ids=N,4", "types=N,4"), ("ids", "mask", "types"), 1, ())
    assert "--input mask=" in raised.value.fix


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_another_float_type_is_given_as_float32(dtype: str) -> None:
    with pytest.raises(InputSpecInvalid, match=f"{dtype}, but models are converted in float32") as raised:
        parse_input(f"x=N,8:{dtype}:0..1")
    assert "x=N,8:float32:0..1" in raised.value.fix


def test_missing_shape_says_how_to_give_it() -> None:
    with pytest.raises(InputSpecInvalid) as raised:
        resolve_inputs((), ("x",), 1, ())
    assert raised.value.what == "nothing says what shape x of this model's forward has"
    assert "--input x=N,3,224,224" in raised.value.fix


def test_another_size_keeps_the_preprocessing_in_proportion() -> None:
    default = image_input(3, ImagePreprocessing(256, 224))
    (spec,) = resolve_inputs(("image=N,3,112,112",), ("x",), 1, (default,))
    assert spec.preprocessing == ImagePreprocessing(128, 112)


def test_other_channels_lose_the_preprocessing() -> None:
    default = image_input(3, ImagePreprocessing(256, 224))
    (spec,) = resolve_inputs(("image=N,1,224,224",), ("x",), 1, (default,))
    assert spec.preprocessing is None
