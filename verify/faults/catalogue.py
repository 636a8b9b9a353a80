"""Every kind of fault there is."""

from __future__ import annotations

from verify.faults.attributes import ATTRIBUTE_FAULTS
from verify.faults.fault import Fault
from verify.faults.outputs import OUTPUT_FAULTS
from verify.faults.quantization import QUANTIZATION_FAULTS
from verify.faults.sidecar import SIDECAR_FAULTS
from verify.faults.weights import WEIGHT_FAULTS
from verify.faults.wiring import WIRING_FAULTS

FAULTS: tuple[Fault, ...] = (
    *WEIGHT_FAULTS,
    *QUANTIZATION_FAULTS,
    *OUTPUT_FAULTS,
    *WIRING_FAULTS,
    *ATTRIBUTE_FAULTS,
    *SIDECAR_FAULTS,
)
