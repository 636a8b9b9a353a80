"""An unpacked ``.tflite`` model run op by op: its names and constants, one op as a file of its own, a stepper."""
