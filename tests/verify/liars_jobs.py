"""What other tools say of two models: jobs that call the libraries' own functions, each in its own process."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def onnx2tf_flags(expected: Path, given: Path) -> dict[str, int]:
    """What onnx2tf's ``-cotof`` check says of arrays by output name: 0 unmatched, 1 matches, 2 skipped.

    It counts only what is unmatched as an error, at 1e-4 unless told otherwise.
    """
    from onnx2tf.utils.common_functions import onnx_tf_tensor_validation

    with np.load(expected) as wanted, np.load(given) as found:
        pairs = {(name, name): (wanted[name], found[name]) for name in wanted.files if name in found.files}
    results = onnx_tf_tensor_validation(output_pairs=pairs, rtol=0.0, atol=1e-4)
    return {name: int(flag) for (name, _), (_, flag, _, _) in results.items()}


def onnx2tf_probe(model: Path, output_names: tuple[str, ...], target: Path) -> Path:
    """What an ONNX model gives for the input that onnx2tf checks with."""
    import onnx
    from onnx2tf.utils.common_functions import dummy_onnx_inference

    outputs = dummy_onnx_inference(onnx_graph=onnx.load(str(model)), output_names=list(output_names))
    np.savez(target, **dict(zip(output_names, outputs, strict=True)))
    return target


def quantizer_metrics(reference: Path, target: Path, samples: Path, metric: str) -> dict[str, float]:
    """What ai-edge-quantizer's validation says of a TFLite file's outputs, by tensor name, sample by sample."""
    from ai_edge_quantizer.model_validator import compare_model
    from ai_edge_quantizer.utils.validation_utils import get_validation_func

    with np.load(samples) as archive:
        arrays = {name: archive[name] for name in archive.files}
    count = len(next(iter(arrays.values())))
    rows = [{name: array[at : at + 1] for name, array in arrays.items()} for at in range(count)]
    compared = compare_model(
        reference.read_bytes(),
        target.read_bytes(),
        {"serving_default": rows},
        metric,
        get_validation_func(metric),
        num_threads=1,
    )
    return {
        str(name): float(value) for name, value in compared.get_signature_comparison_result().output_tensors.items()
    }
