"""What is inside int8 files, asked of a worker."""

from __future__ import annotations

import pytest

from quantize.anatomy.job import anatomy_of
from verify.runners.tflite_file import tflite_signature


@pytest.fixture(scope="session")
def anatomy(float_models, worker, int8):
    """``anatomy("mixed")`` of the file that ``int8("mixed")`` made, or of another in its place."""

    def look(model: str, path=None):
        source = float_models / f"{model}.tflite"
        made, result = int8(model)
        job = worker.run(
            anatomy_of,
            model=source,
            int8=path or made,
            recipe=result.recipe,
            calibration=float_models / "image.npz",
            signature=tflite_signature(source, {}),
            max_samples=128,
        )
        return job.value

    return look
