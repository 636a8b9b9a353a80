"""Observing activations: which values each tensor of a float model holds on real samples, one file a step."""
