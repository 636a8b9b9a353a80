"""Calibration without data: inputs distilled from what batch norms remember of the training set."""
