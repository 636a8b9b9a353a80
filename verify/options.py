"""Options of ``verify``: how each is written, and its help. They are declared here, and read in :mod:`verify.cli`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_CHECKPOINTS = "PyTorch checkpoints"
_SAMPLES = "Samples"
_RUN = "Run"
_REPORT = "Report"

Models = Annotated[
    list[Path],
    typer.Argument(
        help="Two or more models, the one to trust first: .onnx, .tflite, a SavedModel folder, a checkpoint (.pth, "
        ".pt2 …), a reference.npz, or a folder that convert made.",
        metavar="MODEL",
        show_default=False,
    ),
]
Samples = Annotated[
    str | None,
    typer.Option(
        "--samples",
        "--data",
        help="Feed these instead of random inputs: a folder of images, .npz/.npy, or module:callable.",
        rich_help_panel=_SAMPLES,
    ),
]
MaxSamples = Annotated[int, typer.Option(min=1, help="Most samples to feed.", rich_help_panel=_SAMPLES)]
Seed = Annotated[int, typer.Option(help="Seed of random inputs.", rich_help_panel=_SAMPLES)]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="NAME=DIMS[:DTYPE[:LOW..HIGH]]",
        help="An input, where what the models say of it is not enough: image=N,3,224,224 or ids=N,16:int64:0..29999; "
        "repeat for more.",
        rich_help_panel=_SAMPLES,
    ),
]
LayoutTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--layout",
        metavar="NAME=LAYOUT",
        help="How a TensorFlow model without signature.json stores a tensor: image=NHWC; repeat for more.",
    ),
]
MinSqnr = Annotated[
    float | None,
    typer.Option("--min-sqnr-db", help="Judge by this SQNR instead of the budget that follows from the files."),
]
MaxDrop = Annotated[
    str | None,
    typer.Option(
        metavar="PERCENT",
        help="Most of top-1, mIoU or mAP that a quantized model may lose, 0.5% say, by the labels that come with the "
        "samples: an array 'truth' in a .npz, or a folder of images a class.",
    ),
]
Arch = Annotated[
    str | None,
    typer.Option(
        help="The architecture: torchvision:NAME, timm:NAME, FILE.py:CLASS or PACKAGE.MODULE:CLASS. Recognised if left "
        "out.",
        rich_help_panel=_CHECKPOINTS,
    ),
]
ArchArgs = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=LITERAL",
        help="An argument for the architecture, as a Python literal; repeat for more.",
        rich_help_panel=_CHECKPOINTS,
    ),
]
Dynamic = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=DIMS",
        help="Names for axes of an input that are free, as the batch is: image=N,3,H,W; repeat for more.",
        rich_help_panel=_CHECKPOINTS,
    ),
]
OutputNames = Annotated[
    list[str] | None,
    typer.Option(
        "--output-name",
        help="A name for an output, in order; repeat for more. The model's own if left out.",
        rich_help_panel=_CHECKPOINTS,
    ),
]
TrustPickle = Annotated[
    bool,
    typer.Option(
        "--trust-pickle", help="Load a pickled module, which runs code from the file.", rich_help_panel=_CHECKPOINTS
    ),
]
Partial = Annotated[
    bool,
    typer.Option(
        "--partial", help="Accept missing or unexpected tensors, and list them.", rich_help_panel=_CHECKPOINTS
    ),
]
Ema = Annotated[
    bool,
    typer.Option(
        "--ema", help="Take the moving-average copy of the weights, where there is one.", rich_help_panel=_CHECKPOINTS
    ),
]
Part = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Which part of a torchvision detector: network, box_head …", rich_help_panel=_CHECKPOINTS
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Write verification.json, report.html, report.md, junit.xml and, of layers, node data for Model Explorer "
        "to this folder.",
        rich_help_panel=_REPORT,
    ),
]
SaveReference = Annotated[
    Path | None,
    typer.Option(
        "--save-reference",
        metavar="REFERENCE.npz",
        help="Write the inputs, and the outputs of the first model, so that later runs need it no more.",
        rich_help_panel=_REPORT,
    ),
]
LockFile = Annotated[
    Path | None,
    typer.Option(
        "--lock",
        metavar="PARITY.lock.json",
        help="Judge by the drift this file records too: more than that fails. Where there is none, record it.",
        rich_help_panel=_REPORT,
    ),
]
UpdateLock = Annotated[
    bool,
    typer.Option(
        "--update-lock",
        help="Record today's drift in --lock, whatever was recorded before; its exceptions stay.",
        rich_help_panel=_REPORT,
    ),
]
Format = Annotated[
    str,
    typer.Option(
        "--format", metavar="text|json|markdown|junit", help="What to print on stdout.", rich_help_panel=_REPORT
    ),
]
Annotations = Annotated[
    bool,
    typer.Option(
        "--annotations",
        help="Print failures as GitHub annotations too: on stdout after the text, on stderr beside another format.",
        rich_help_panel=_REPORT,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="The same as --format json.", rich_help_panel=_REPORT)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=_RUN)]
Timeout = Annotated[float | None, typer.Option(help="Most seconds that any one step may take.", rich_help_panel=_RUN)]
MemoryLimit = Annotated[float | None, typer.Option(help="Most GiB that any one worker may use.", rich_help_panel=_RUN)]
Layers = Annotated[
    bool, typer.Option("--layers", help="Compare layer by layer, edges that pass too; failing ones always are.")
]
Open = Annotated[
    bool,
    typer.Option(
        "--open",
        help="At the end, show the model that parts, or the last one, until Ctrl-C: in Model Explorer, coloured by the "
        "errors of its layers, or in Netron, whichever is installed. Compares layer by layer, as --layers does.",
        rich_help_panel=_REPORT,
    ),
]
ViewerName = Annotated[
    str | None,
    typer.Option(
        "--viewer", metavar="model-explorer|netron", help="As --open, with this one.", rich_help_panel=_REPORT
    ),
]
SelfTest = Annotated[
    bool,
    typer.Option(
        "--self-test",
        help="Put faults of some fifty kinds into copies of the second model, and say which of them are noticed.",
        rich_help_panel=_RUN,
    ),
]
