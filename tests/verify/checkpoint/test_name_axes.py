"""``--dynamic`` names axes of a shape that is known, and says what is wrong where it does not fit."""

from __future__ import annotations

import pytest

from verify.checkpoint.dynamic_axes import name_axes
from verify.errors import InputSpecInvalid
from verify.samples import ImagePreprocessing, InputSpec

PICTURE = InputSpec("image", ("N", 3, 224, 224), preprocessing=ImagePreprocessing(256, 224))
TOKENS = InputSpec("ids", ("N", 16), "int64", 0, 99)


def test_named_axes_keep_the_size_that_they_had_as_the_one_to_start_from() -> None:
    (picture, tokens) = name_axes((PICTURE, TOKENS), ("image=N,3,H,W", "ids=N,T"))

    assert picture.shape == ("N", 3, "H", "W")
    assert [picture.size_at(axis) for axis in (1, 2, 3)] == [3, 224, 224]
    assert picture.preprocessing == PICTURE.preprocessing
    assert (tokens.shape, tokens.size_at(1)) == (("N", "T"), 16)


def test_an_axis_may_stay_as_it_is() -> None:
    (picture,) = name_axes((PICTURE,), ("image=N,3,H,224",))
    assert picture.shape == ("N", 3, "H", 224)


def test_an_input_that_names_its_axes_itself_may_be_named_again() -> None:
    (picture,) = name_axes((InputSpec("image", ("N", 3, "A", "B")),), ("image=N,3,H,W",))
    assert picture.shape == ("N", 3, "H", "W")
    assert picture.size_at(2) == 64


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("picture=N,3,H,W", "names no input of the model; it has image=N,3,224,224"),
        ("image", "names no input of the model"),
        ("image=N,3,H", "does not fit image=N,3,224,224"),
        ("image=N,1,H,W", "says 1 where image=N,3,224,224 has 3"),
        ("image=N,3,H,W:float32", "which is --input's"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_shape_that_is_known(text: str, complaint: str) -> None:
    with pytest.raises(InputSpecInvalid) as caught:
        name_axes((PICTURE,), (text,))
    assert complaint in str(caught.value)
    assert caught.value.fix
