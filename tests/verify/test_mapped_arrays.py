from __future__ import annotations

import numpy as np
import pytest

from verify.batches import write_batch
from verify.mapped_arrays import mapped_arrays

ARRAYS = {
    "image": np.random.default_rng(0).normal(size=(3, 5, 7)).astype(np.float32),
    "turned": np.asfortranarray(np.arange(12, dtype=np.int64).reshape(3, 4)),
    "one": np.array(2.5),
    "none": np.zeros((0, 3), np.float32),
    "yes": np.array([True, False, True]),
}


@pytest.mark.parametrize("write", [write_batch, lambda path, arrays: np.savez(path, **arrays)])
def test_stored_arrays_are_what_was_written_and_stay_in_the_file(write, tmp_path):
    write(tmp_path / "data.npz", ARRAYS)
    found = mapped_arrays(tmp_path / "data.npz")
    assert list(found) == list(ARRAYS)
    for name, expected in ARRAYS.items():
        assert found[name].dtype == expected.dtype
        np.testing.assert_array_equal(found[name], expected)
        assert isinstance(found[name], np.memmap) == (name != "none")


def test_compressed_arrays_are_read(tmp_path):
    np.savez_compressed(tmp_path / "data.npz", **ARRAYS)
    for name, found in mapped_arrays(tmp_path / "data.npz").items():
        assert not isinstance(found, np.memmap)
        np.testing.assert_array_equal(found, ARRAYS[name])


def test_pickled_objects_are_not_loaded(tmp_path):
    np.savez(tmp_path / "data.npz", image=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        mapped_arrays(tmp_path / "data.npz")
