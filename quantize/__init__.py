"""Makes int8 and its relatives from a float TFLite model and a representative dataset."""
