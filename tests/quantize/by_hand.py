"""ai-edge-quantizer as a user would call it: its default static recipe, its own calibration, one sample at a time."""

import sys
from pathlib import Path

import numpy as np
from ai_edge_quantizer import quantizer, recipe


def quantize_by_hand(model: Path, samples: Path, count: int, out: Path) -> None:
    with np.load(samples) as archive:
        arrays = {name: archive[name] for name in archive.files}
    rows = [{name: array[row : row + 1] for name, array in arrays.items()} for row in range(count)]
    library = quantizer.Quantizer(str(model), recipe.static_wi8_ai8())
    ranges = library.calibrate({"serving_default": rows})
    out.write_bytes(library.quantize(ranges).quantized_model)


folder, count, *pairs = sys.argv[1:]
for pair in pairs:
    model, samples = map(Path, pair.split(":"))
    quantize_by_hand(model, samples, int(count), Path(folder) / model.name)
