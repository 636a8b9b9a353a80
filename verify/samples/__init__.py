"""What models are fed: the description of an input, where samples come from, and batches of them by input name.

A sample is ``{input name: array}`` with a batch axis of 1, in PyTorch layout. Batches are made once, written to a
folder (one ``.npz`` a batch) and fed to every model, so that all models see the same numbers.
"""

from verify.samples.source import (
    ArrayFile,
    CallableSamples,
    ImageFolder,
    RandomSamples,
    SampleSource,
    parse_samples,
)
from verify.samples.spec import IMAGENET_MEAN, IMAGENET_STD, ImagePreprocessing, InputSpec
from verify.samples.split import Split, split

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "ArrayFile",
    "CallableSamples",
    "ImageFolder",
    "ImagePreprocessing",
    "InputSpec",
    "RandomSamples",
    "SampleSource",
    "Split",
    "parse_samples",
    "split",
]
