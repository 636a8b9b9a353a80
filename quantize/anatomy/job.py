"""What a worker runs to describe an int8 file that was just made."""

from __future__ import annotations

from pathlib import Path

from quantize.anatomy.describe import describe
from quantize.calibration.few import FEW
from quantize.calibration.probes import SmallestHashes, is_held_back
from quantize.calibration.samples import SampleStream, digest_of
from quantize.correction.patches import prepared
from quantize.leftovers import left_in_float
from quantize.operators import activation_bytes, operators
from quantize.recipe import Recipe
from quantize.rewritten import rewritten
from verify.modules import modules_beside
from verify.report.anatomy import Anatomy
from verify.runners.base import Batch
from verify.signature import Signature

MOST_BYTES = 2**26
"""Of activations that the samples make on their way: of a large net there are fewer."""


def anatomy_of(
    model: Path, int8: Path, *, recipe: Recipe, calibration: Path, signature: Signature, max_samples: int
) -> Anatomy:
    """Of a static file that :func:`quantize.jobs.make_int8` made of ``model`` with these samples, or with more.

    A few of them are run, those first that were held back when ranges were tried.
    """
    modules = {each.name: each.modules for each in operators(model, modules_beside(model))}
    why_float = {name: each.reason for each in left_in_float(int8, recipe) for name in each.tensors}
    fitted = recipe.corrections
    corrected = {each.tensor for each in fitted.rounded} | {each.tensor for each in fitted.biases}
    with rewritten(model, recipe.activations) as same, prepared(same, recipe.corrections) as source:
        most = min(max(MOST_BYTES // max(activation_bytes(source), 1), 1), FEW)
        samples = _few(SampleStream(calibration, signature, max_samples), most)
        return describe(source, int8, samples, modules=modules, why_float=why_float, corrected=corrected)


def _few(stream: SampleStream, most: int) -> list[Batch]:
    held_back, others = SmallestHashes(), SmallestHashes()
    for sample in stream:
        digest = digest_of(sample)
        (held_back if is_held_back(digest) else others).offer(digest, sample, most)
    return [sample for _, sample in (*held_back.kept, *others.kept)][:most]
