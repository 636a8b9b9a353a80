"""Weights beyond what one TFLite file holds are refused with what can be done instead."""

from __future__ import annotations

import pytest

from convert.size_limit import require_weights_fit
from convert.stages.export import ExportOnnx
from convert.stages.lower import OnnxToSavedModel
from convert.stages.to_tflite import SavedModelToTflite
from verify.errors import ConversionError

VIT_H_14_BYTES = 2_530_000_000


def test_weights_that_no_tflite_file_holds_are_refused() -> None:
    with pytest.raises(ConversionError, match=r"the weights are 2\.53 GB") as caught:
        require_weights_fit(VIT_H_14_BYTES, (ExportOnnx(), OnnxToSavedModel(), SavedModelToTflite()))
    assert "convert pth2tf" in caught.value.fix


def test_a_saved_model_may_be_as_large_as_it_likes() -> None:
    require_weights_fit(VIT_H_14_BYTES, (ExportOnnx(), OnnxToSavedModel()))
