from __future__ import annotations


def test_every_op_left_in_float_is_listed_with_its_reason(int8):
    found = {each.op: each for each in int8("leaky")[1].float_ops}
    assert set(found) == {"ATAN2"}
    assert found["ATAN2"].reason.startswith("LiteRT has no int8 kernel for it")
    assert found["ATAN2"].count == 1
    assert found["ATAN2"].remedy == "replace it in the model if every op must be int8"


def test_a_fully_int8_file_has_no_leftovers(int8):
    assert int8("mixed")[1].float_ops == ()


def test_a_division_stays_in_float_since_litert_refuses_divisors_that_are_stored_as_zero(int8):
    (left,) = int8("dividing")[1].float_ops
    assert (left.op, left.count) == ("DIV", 1)
    assert left.reason.startswith("LiteRT's int8 kernel stops where a divisor is stored as 0")
