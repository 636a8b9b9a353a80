"""The Python to paste runs as it stands, in the output folder, and feeds the file as we feed it ourselves."""

from __future__ import annotations

import ast
import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from report_samples import hostile, passing

from verify.artifact import sha256_of
from verify.report.snippet import feeding_snippet
from verify.report.types import ArtifactReport
from verify.runners.tflite_file import tflite_signature
from verify.samples import InputSpec
from verify.samples.image_folder import effective_preprocessing, prepare

_PERMUTATIONS = {"image": (0, 2, 3, 1), "features": (0, 2, 3, 1)}


def _results_of_pasting(folder, name) -> dict[str, np.ndarray]:
    """The snippet of a file, saved and run beside it; its placeholders become a ramp and a token."""
    path = folder / name
    signature = tflite_signature(path, _PERMUTATIONS)
    made = ArtifactReport("int8", name, "tflite", path.stat().st_size, sha256_of(path), signature)
    snippet = feeding_snippet(made, None)
    assert snippet.count("np.zeros(") == 2
    filled = snippet.replace("np.zeros((1, 3, 8, 6), np.float32)", "np.linspace(-1, 1, 144).reshape(1, 3, 8, 6)")
    assert filled != snippet
    script = f"{filled}\nnp.savez({name + '.npz'!r}, features=features, logits=logits)\n"
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(folder / f"{name}.npz") as results:
        return dict(results)


def test_the_snippets_of_the_float_and_the_int8_file_agree_in_pytorch_layout(tf_models):
    expected = _results_of_pasting(tf_models, "net_float32.tflite")
    actual = _results_of_pasting(tf_models, "net_int8.tflite")
    assert expected["features"].shape == actual["features"].shape == (1, 32, 8, 6)
    assert expected["logits"].shape == actual["logits"].shape == (1, 40)
    for name, real in expected.items():
        noise = np.sum((real - actual[name]) ** 2)
        assert 10 * np.log10(np.sum(real**2) / noise) > 25, name


@pytest.mark.parametrize("shape", [("N", 3, 224, 224), ("N", 3, 96, 96)])
@pytest.mark.parametrize("size", [(300, 201), (251, 640), (256, 256)])
def test_the_snippet_prepares_a_photo_as_the_judging_samples_were(size, shape, tmp_path):
    report = passing()
    spec = InputSpec("image", shape, preprocessing=report.model.inputs[0].preprocessing)
    float32 = report.artifacts[2]
    snippet = feeding_snippet(float32, dataclasses.replace(report.model, inputs=(spec,)))
    photo = Image.fromarray(np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), np.uint8))
    photo.save(tmp_path / "photo.jpg")
    only_making = snippet.split("\n\n")[2].replace('"photo.jpg"', repr(str(tmp_path / "photo.jpg")))
    scope: dict[str, object] = {"np": np, "Image": Image}
    exec(only_making, scope)  # the snippet is code; LiteRT's part of it runs in the other test
    with Image.open(tmp_path / "photo.jpg") as reopened:
        expected = prepare(reopened.convert("RGB"), effective_preprocessing(spec))
    made = scope["image"]
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected.transpose(1, 2, 0)[None], atol=1e-6)


def test_a_hostile_name_stays_inside_its_string():
    snippet = feeding_snippet(hostile().artifacts[-1], None)
    compile(snippet, "snippet", "exec")
    assert all(line.isprintable() for line in snippet.split("\n"))
    assert r"\x1b]0;pwned\x07\u202e" in snippet


def test_a_name_that_ends_its_string_is_still_a_name():
    made = passing().artifacts[2]
    evil = '")\nimport os; os.abort()\n("'
    spec = dataclasses.replace(made.signature.inputs[0], name=evil, shape=(evil, 224, 224, 3))
    signature = dataclasses.replace(made.signature, inputs=(spec,))
    snippet = feeding_snippet(dataclasses.replace(made, file=evil, signature=signature), None)
    assert not [line for line in snippet.splitlines() if line.startswith("import os")]
    assert evil in {node.value for node in ast.walk(ast.parse(snippet)) if isinstance(node, ast.Constant)}
