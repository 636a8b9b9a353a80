"""Makes int8 and its relatives from a float TFLite model and a representative dataset.

from quantize import quantize
made = quantize("net_float32.tflite", calib=data_loader)
"""

from quantize.api import quantize

__all__ = ["quantize"]
