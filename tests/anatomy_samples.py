"""The inside of int8 files as a run would describe it."""

from __future__ import annotations

from verify.report.anatomy import INPUT, ActivationRange, Anatomy, Finding, LayerAnatomy, WeightScales

LONG = "StatefulPartitionedCall/model/features.12/block/expand/BiasAdd;StatefulPartitionedCall/model/features.12/Conv2D"
HOSTILE = "</title><script>document.title='pwned'</script>"
HELD = ActivationRange(-3.1, 3.1, -4.72, 4.18, 0.012, 0.0004)
WEIGHTS = WeightScales(16, 5.8e-4, 9.4e-4, 1.62e-3, 0.21)


def measured(name: str, op: str, sqnr_db: float, local_db: float, **others: object) -> LayerAnatomy:
    return LayerAnatomy(name, op, (), "int8", "", sqnr_db, local_db, local_db + 3, HELD, **others)


def anatomy() -> Anatomy:
    """Names that are long and hostile, an op in float, one that was not measured, and findings close to one another."""
    layers = (
        measured("serving_default_image:0", INPUT, 53.2, 53.2),
        *(measured(f"layer_{at}", "CONV_2D", 45 - at / 2, 44, weights=WEIGHTS, size_bytes=2500) for at in range(60)),
        measured(LONG, "CONV_2D", 12.0, 13.0, weights=WEIGHTS, size_bytes=12_500),
        measured(HOSTILE, "FULLY_CONNECTED", 11.0, 14.0, weights=WEIGHTS, size_bytes=9_980),
        LayerAnatomy("power", "POW", (HOSTILE,), "float", "LiteRT has no int8 kernel for it", 11.0, 120.0),
        LayerAnatomy("atan", "ATAN2", (), "float", "LiteRT has no int8 kernel for it", 11.0, 120.0),
        LayerAnatomy(LONG, "WHILE", ("encoder.layers.0", "encoder.layers.1"), "int8"),
    )
    findings = (
        Finding(61, "loses 3 dB, from 15 to 12: its weights in 8 bits"),
        Finding(62, "would give 14 dB by itself: what enters it is rounded"),
    )
    return Anatomy(4, 186_000, layers, findings, 11.0, "", f"not measured further: {HOSTILE} computes in other graphs")
