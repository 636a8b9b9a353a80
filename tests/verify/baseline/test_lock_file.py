"""A lock file: comes back as it went, can be written by hand, and says where it is broken."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.baseline.lock import Accepted, Lock, LockedOutput
from verify.baseline.lock_file import read_lock, write_lock
from verify.errors import LockInvalid

LOCK = Lock(
    "1",
    "32 random samples (seed 0)",
    (
        LockedOutput("net.onnx", "net.tflite", "logits", 1.5e-06, 8e-06, 113.7),
        LockedOutput("net.onnx", "net.tflite", "boxes", 0.0),
    ),
    (Accepted("net_int8.tflite", "below budget", "no calibration photos yet", "ada", date(2026, 12, 31)),),
)


@pytest.mark.parametrize("name", ["parity.lock.json", "parity.lock.toml"])
def test_a_lock_comes_back_as_it_went_and_the_same_lock_gives_the_same_bytes(name, tmp_path):
    path = tmp_path / name
    write_lock(LOCK, path)
    first = path.read_bytes()
    assert read_lock(path) == LOCK
    write_lock(read_lock(path), path)
    assert path.read_bytes() == first


@given(name=st.text(st.characters(exclude_categories=["Cs"])), rms=st.floats(0, 1e30))
def test_any_name_survives_both_formats(name, rms, tmp_path_factory):
    lock = Lock("1", name, (LockedOutput("a", name, name, rms),))
    for suffix in ("json", "toml"):
        path = tmp_path_factory.mktemp("lock") / f"lock.{suffix}"
        write_lock(lock, path)
        assert read_lock(path) == lock


def test_a_toml_lock_by_hand_with_comments_is_read(tmp_path):
    path = tmp_path / "parity.lock.toml"
    path.write_text(
        """
        schema_version = "1"
        samples = "32 random samples (seed 0)"

        [[accepted]]  # until the photos are here
        actual = "net_int8.tflite"
        failure = "below budget"
        reason = "no calibration photos yet"
        owner = "ada"
        expires = 2026-12-31
        min_sqnr_db = 12
        """,
        encoding="utf-8",
    )
    exception = read_lock(path).accepted[0]
    assert exception.expires == date(2026, 12, 31)
    assert (exception.expected, exception.output, exception.min_sqnr_db) == ("*", "*", 12)


def _data(**changes):
    exception = {"actual": "b", "failure": "below budget", "reason": "r", "owner": "o", "expires": "2026-12-31"}
    outputs = [{"expected": "a", "actual": "b", "output": "y", "rms_error": 0.1}]
    return {"schema_version": "1", "samples": "s", "outputs": outputs, "accepted": [exception]} | changes


def _accepted(**changes):
    return _data(accepted=[_data()["accepted"][0], _data()["accepted"][0] | changes])


def _without(key):
    exception = {name: value for name, value in _data()["accepted"][0].items() if name != key}
    return _data(accepted=[exception])


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{\n  "schema_version": "1",\n  oops\n}', r"lock.json, line 3, column 3: "),
        ("[]", r"lock.json is a list, expected a table"),
        ("{}", r"lock.json: schema_version is None; this release reads '1'"),
        (_data(schema_version="2"), r"schema_version is '2'; this release reads '1'"),
        (_data(outputs={"a": 1}), r"outputs is a table, expected a list of tables"),
        (_data(outputs=["x"]), r"outputs\[0\] is text, expected a table"),
        (_data(outputs=[{"expected": "a"}]), r"outputs\[0\].actual: is missing"),
        (_data(typo=1), r"lock.json: typo is unknown; there are schema_version, samples, outputs, accepted"),
        (_accepted(expires="2026-13-01"), r"accepted\[1\].expires: '2026-13-01': "),
        (_accepted(min_sqnrdb=3), r"accepted\[1\].min_sqnrdb is unknown; there are actual, failure"),
        (_without("owner"), r"accepted\[0\].owner: is missing"),
        (_without("reason"), r"accepted\[0\].reason: is missing"),
        (_without("expires"), r"accepted\[0\].expires: is missing"),
        (_data(outputs=_data()["outputs"] * 2), r"outputs\[1\] records the same output as outputs\[0\]"),
        ('{"schema_version": "1", "samples": NaN}', r"NaN is not JSON"),
    ],
)
def test_a_broken_lock_says_where(text, where, tmp_path):
    path = tmp_path / "lock.json"
    path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    with pytest.raises(LockInvalid, match=where) as caught:
        read_lock(path)
    assert caught.value.fix
    assert int(caught.value.exit_code) == 2


@pytest.mark.parametrize("value", ["", "  "])
@pytest.mark.parametrize("key", ["reason", "owner"])
def test_an_exception_without_a_reason_or_an_owner_is_none(key, value, tmp_path):
    path = tmp_path / "lock.json"
    path.write_text(json.dumps(_accepted(**{key: value})), encoding="utf-8")
    with pytest.raises(LockInvalid, match=rf"accepted\[1\].{key} is empty"):
        read_lock(path)


@pytest.mark.parametrize("value", [-0.1, float("inf")])
def test_an_impossible_record_is_refused(value, tmp_path):
    path = tmp_path / "lock.json"
    outputs = [_data()["outputs"][0] | {"rms_error": value}]
    path.write_text(json.dumps(_data(outputs=outputs)).replace("Infinity", "1e999"), encoding="utf-8")
    with pytest.raises(LockInvalid, match=r"outputs\[0\].rms_error"):
        read_lock(path)


def test_a_toml_error_says_its_line(tmp_path):
    path = tmp_path / "lock.toml"
    path.write_text('schema_version = "1"\nsamples = \n', encoding="utf-8")
    with pytest.raises(LockInvalid, match="line 2"):
        read_lock(path)
