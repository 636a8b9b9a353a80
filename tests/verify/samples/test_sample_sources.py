"""Every source of samples: what it accepts, what it refuses and with which words, and that order never changes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from verify.errors import InputSpecInvalid, SamplesInvalid
from verify.samples import (
    ArrayFile,
    CallableSamples,
    ImageFolder,
    ImagePreprocessing,
    InputSpec,
    RandomSamples,
    parse_samples,
)
from verify.samples.image_folder import effective_preprocessing, image_files
from verify.samples.load import load, open_samples

IMAGE = InputSpec("image", ("N", 3, 8, 8))
TOKENS = InputSpec("ids", ("N", "length"), "int64", 0, 99)
PAIR = (IMAGE, TOKENS)


def test_a_source_is_known_by_what_is_there(tmp_path):
    (tmp_path / "data.npz").touch()
    assert parse_samples(None) == RandomSamples(0)
    assert parse_samples("random", seed=7) == RandomSamples(7)
    assert parse_samples(str(tmp_path)) == ImageFolder(tmp_path)
    assert parse_samples(str(tmp_path / "data.npz")) == ArrayFile(tmp_path / "data.npz")
    assert parse_samples("package.module:samples") == CallableSamples("package.module:samples")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no/such/folder", "does not exist; expected a folder of images"),
        ("missing.npz", "does not exist"),
        ("missing.py:samples", r"there is no file missing\.py to take samples from"),
        (__file__, r"neither a folder nor a \.npz or \.npy file"),
    ],
)
def test_what_is_no_source_is_refused(text, words):
    with pytest.raises(SamplesInvalid, match=words):
        parse_samples(text)


def test_random_sample_i_depends_on_seed_and_i_alone():
    samples = list(load(RandomSamples(3), PAIR, limit=5))
    (fourth,) = load(RandomSamples(3), PAIR, indices=(3,))
    np.testing.assert_array_equal(samples[3]["image"], fourth["image"])
    np.testing.assert_array_equal(samples[3]["ids"], fourth["ids"])
    (other,) = load(RandomSamples(4), PAIR, indices=(3,))
    assert not np.array_equal(other["image"], fourth["image"])


def test_random_samples_keep_the_declared_range_and_dtype():
    inputs = (
        InputSpec("x", ("N", 2000)),
        InputSpec("u", ("N", 2000), low=-1, high=3),
        InputSpec("i", ("N", 2000), "int32", 5, 9),
        InputSpec("b", ("N", 2000), "bool"),
    )
    (sample,) = load(RandomSamples(0), inputs, limit=1)
    assert {name: array.dtype.name for name, array in sample.items()} == {
        "x": "float32",
        "u": "float32",
        "i": "int32",
        "b": "bool",
    }
    assert abs(float(sample["x"].mean())) < 0.1
    assert float(sample["x"].std()) == pytest.approx(1, abs=0.1)
    assert -1 <= sample["u"].min() < -0.9
    assert 2.9 < sample["u"].max() <= 3
    assert set(np.unique(sample["i"])) == {5, 6, 7, 8, 9}
    assert 0.4 < sample["b"].mean() < 0.6


def test_integers_without_a_range_are_refused():
    with pytest.raises(InputSpecInvalid, match=r"input ids holds integers .* random samples need one"):
        next(load(RandomSamples(0), (InputSpec("ids", ("N", 4), "int64"),)))


def test_one_dim_name_has_one_size_everywhere():
    inputs = (InputSpec("ids", ("N", "length"), "int64", 0, 9), InputSpec("mask", ("N", "length"), "bool"))
    (sample,) = load(RandomSamples(0), inputs, limit=1)
    assert sample["ids"].shape == sample["mask"].shape
    (photo,) = load(RandomSamples(0), (InputSpec("image", ("N", 3, "H", "W")),), limit=1)
    assert photo["image"].shape == (1, 3, 64, 64)


def test_npz_arrays_go_by_input_name_and_others_are_left(tmp_path):
    path = tmp_path / "data.npz"
    images = np.random.default_rng(0).normal(size=(4, 3, 8, 8))
    np.savez(path, ids=np.arange(20).reshape(4, 5), image=images, label=np.arange(4))
    samples = list(load(ArrayFile(path), PAIR))
    assert len(samples) == 4
    assert samples[2]["image"].dtype == np.float32
    np.testing.assert_array_equal(samples[2]["image"], images[2:3].astype(np.float32))
    np.testing.assert_array_equal(samples[2]["ids"], [[10, 11, 12, 13, 14]])


@pytest.mark.parametrize("name", ["data.npy", "data.npz"])
def test_a_single_input_takes_any_one_array(tmp_path, name):
    path = tmp_path / name
    array = np.ones((6, 3, 8, 8), np.float32)
    np.save(path, array) if name.endswith("npy") else np.savez(path, whatever=array)
    assert open_samples(ArrayFile(path), (IMAGE,)).count == 6


def _refused(tmp_path, words: str, inputs=(IMAGE,), **arrays) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    with pytest.raises(SamplesInvalid, match=words):
        list(load(ArrayFile(path), inputs))


def test_channels_last_arrays_are_refused_with_the_transposition(tmp_path):
    words = r"takes \(samples, 3, 8, 8\) in PyTorch layout, but the array given has shape \(2, 8, 8, 3\)"
    _refused(tmp_path, words, image=np.ones((2, 8, 8, 3)))
    _refused(tmp_path, r"array\.transpose\(0, 3, 1, 2\)", image=np.ones((2, 8, 8, 3)))


def test_so_are_channels_first_arrays_for_a_model_of_which_no_signature_tells(tmp_path):
    np.save(tmp_path / "image.npy", np.zeros((5, 3, 8, 9), np.float32))
    with pytest.raises(SamplesInvalid) as refused:
        list(load(parse_samples(str(tmp_path / "image.npy")), (InputSpec("image", ("N", 8, 9, 3)),)))
    assert "takes (samples, 8, 9, 3)" in refused.value.what
    assert "transpose(0, 2, 3, 1), or keep the signature.json" in str(refused.value.fix)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"image": np.ones((3, 8, 8))}, r"first axis counts samples; add it"),
        ({"image": np.full((1, 3, 8, 8), np.nan)}, "sample 0: input image has NaN or infinite values"),
        ({"image": np.full((1, 3, 8, 8), "x")}, "input image holds float32, but <U1 was given"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, arrays, words):
    _refused(tmp_path, words, **arrays)


def test_arrays_of_several_inputs_are_checked_together(tmp_path):
    image = np.ones((2, 3, 8, 8), np.float32)
    _refused(tmp_path, "no array for input ids: the model takes image, ids, the file holds image", PAIR, image=image)
    _refused(tmp_path, "lengths differ: image 2, ids 3", PAIR, image=image, ids=np.ones((3, 4), int))
    too_high = np.array([[1], [100]])
    _refused(tmp_path, r"sample 1: input ids holds 0\.\.99, but 100\.\.100", PAIR, image=image, ids=too_high)
    _refused(tmp_path, "input ids holds int64, but float64 was given", PAIR, image=image, ids=np.ones((2, 4)))


def test_pickled_arrays_are_never_loaded(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, image=np.array([{"a": 1}], dtype=object))
    with pytest.raises(SamplesInvalid, match="pickled objects are never loaded"):
        open_samples(ArrayFile(path), (IMAGE,))


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "data.npy"
    path.write_bytes(b"\x93NUMPY garbage")
    with pytest.raises(SamplesInvalid, match="cannot be read as arrays"):
        open_samples(ArrayFile(path), (IMAGE,))


def _picture(path: Path, size: tuple[int, int], mode: str = "RGB", seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = () if mode == "L" else (len(mode),)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], *channels), dtype=np.uint8)
    Image.fromarray(pixels, mode).save(path)


def test_images_come_recursively_and_in_one_order(tmp_path):
    for name in ("b/2.png", "a.jpg", "b/10.bmp", "B.webp", ".hidden/x.png", "notes.txt"):
        _picture(tmp_path / name, (9, 9)) if name != "notes.txt" else (tmp_path / name).write_text("x")
    names = [path.relative_to(tmp_path).as_posix() for path in image_files(tmp_path)]
    assert names == ["B.webp", "a.jpg", "b/10.bmp", "b/2.png"]


def test_unreadable_images_are_left_out_and_counted(tmp_path):
    _picture(tmp_path / "1.png", (16, 12))
    _picture(tmp_path / "2.png", (16, 12))
    (tmp_path / "3.png").write_text("no image")
    (tmp_path / "4.jpg").write_text("no image either")
    whole = (tmp_path / "2.png").read_bytes()
    (tmp_path / "5.png").write_bytes(whole[: len(whole) // 2])
    reader = open_samples(ImageFolder(tmp_path), (IMAGE,))
    assert len(list(reader.read(range(reader.count)))) == 2
    by_reason = {refusal.reason: refusal for refusal in reader.rejections}
    unknown = by_reason.pop("not an image that Pillow knows")
    assert (unknown.subject, unknown.count) == ("3.png and 1 more", 2)
    ((reason, cut),) = by_reason.items()
    assert reason.startswith("cannot be decoded")
    assert cut.subject == "5.png"


def test_grey_and_rgb_files_become_what_the_input_takes(tmp_path):
    _picture(tmp_path / "grey.png", (8, 8), "L")
    _picture(tmp_path / "see_through.png", (8, 8), "RGBA")
    for channels in (1, 3):
        spec = InputSpec("image", ("N", channels, 8, 8))
        assert [s["image"].shape for s in load(ImageFolder(tmp_path), (spec,))] == [(1, channels, 8, 8)] * 2


def test_images_without_known_preprocessing_are_only_scaled_and_it_is_said(tmp_path):
    _picture(tmp_path / "1.png", (8, 8))
    reader = open_samples(ImageFolder(tmp_path), (IMAGE,))
    (sample,) = reader.read([0])
    pixels = np.asarray(Image.open(tmp_path / "1.png"), np.float32).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(sample["image"][0], pixels, rtol=1e-7)
    assert "not normalised: no preprocessing is known" in reader.description


def test_preprocessing_follows_an_overridden_input_size():
    known = ImagePreprocessing(256, 224)
    spec = InputSpec("image", ("N", 3, 112, 112), preprocessing=known)
    scaled = effective_preprocessing(spec)
    assert (scaled.resize, scaled.crop, scaled.mean) == (128, 112, known.mean)
    assert effective_preprocessing(InputSpec("image", ("N", 3, 224, 224), preprocessing=known)) == known


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (PAIR, "expected one float input"),
        ((InputSpec("image", ("N", 3, 8, 16)),), "8×16: images are cropped square"),
        ((InputSpec("image", ("N", 5, 8, 8)),), "has 5 channels"),
    ],
)
def test_models_that_images_do_not_fit_are_refused(tmp_path, inputs, words):
    _picture(tmp_path / "1.png", (8, 8))
    with pytest.raises(SamplesInvalid, match=words):
        open_samples(ImageFolder(tmp_path), inputs)


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(SamplesInvalid, match="holds no images: expected files ending in"):
        open_samples(ImageFolder(tmp_path), (IMAGE,))


CODE = """
import itertools
import numpy as np

def dicts():
    for i in range(3):
        yield {"ids": np.full(4, i), "image": np.full((3, 8, 8), i, np.float32), "label": i}

def tuples():
    return [(np.zeros((3, 8, 8), np.float32), np.zeros(4, int))] * 2

def batches():
    yield np.ones((3, 8, 8), np.float32)
    yield np.ones((4, 3, 8, 8), np.float32)

def endless():
    return ({"image": np.full((3, 8, 8), i, np.float32)} for i in itertools.count())

def broken():
    yield np.ones((3, 8, 8), np.float32)
    raise RuntimeError("disk full")

def wrong():
    yield np.ones((8, 8, 3), np.float32)

def nothing():
    return None

ready = [np.ones((3, 8, 8), np.float32)]
"""


@pytest.fixture
def code(tmp_path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


@pytest.mark.parametrize(("name", "inputs", "count"), [("dicts", PAIR, 3), ("tuples", PAIR, 2), ("ready", (IMAGE,), 1)])
def test_user_code_gives_dicts_tuples_or_arrays(code, name, inputs, count):
    reader = open_samples(CallableSamples(f"{code}:{name}"), inputs)
    assert reader.count == count
    samples = list(reader.read(range(count)))
    assert len(samples) == count
    assert all(sample["image"].shape == (1, 3, 8, 8) for sample in samples)


def test_user_code_may_yield_batches(code):
    assert open_samples(CallableSamples(f"{code}:batches"), (IMAGE,)).count == 5


def test_an_endless_generator_is_read_lazily(code):
    first = list(itertools.islice(load(CallableSamples(f"{code}:endless"), (IMAGE,), indices=(0, 2, 5)), 3))
    assert [float(sample["image"][0, 0, 0, 0]) for sample in first] == [0, 2, 5]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken", "raised RuntimeError: disk full"),
        ("nothing", "raised TypeError"),
        ("absent", "has no 'absent'"),
        ("wrong", r"item 0: input image takes \(samples, 3, 8, 8\)"),
        ("dicts", "gave|has no|expected"),
    ],
)
def test_user_code_that_fails_is_a_typed_error(code, name, words):
    inputs = (IMAGE, InputSpec("mask", ("N", 4))) if name == "dicts" else (IMAGE,)
    with pytest.raises(SamplesInvalid, match=words):
        list(load(CallableSamples(f"{code}:{name}"), inputs, limit=10))


def test_a_module_that_does_not_import_is_a_typed_error(tmp_path):
    (tmp_path / "bad.py").write_text("import no_such_module_here")
    with pytest.raises(SamplesInvalid, match="cannot be imported for samples: ModuleNotFoundError"):
        open_samples(CallableSamples(f"{tmp_path / 'bad.py'}:x"), (IMAGE,))
