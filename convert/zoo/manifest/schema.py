"""The tables and keys of a manifest. Descriptions are what an editor shows, by way of ``zoo.schema.json``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from convert.zoo.job import Target
from convert.zoo.manifest.units import parse_bytes, parse_seconds
from convert.zoo.result import Outcome
from quantize.calibration.method_names import RangesOption
from quantize.correction.names import NAMES
from verify.errors import InputError

SHA256 = r"^[0-9a-f]{64}$"
ID = r"^[A-Za-z0-9_][A-Za-z0-9._+@=-]{0,119}$"
"""Safe as the name of a folder and of a file on every system."""

FAILURES = tuple(outcome for outcome in Outcome if outcome is not Outcome.OK)


class Table(BaseModel):
    """A table of the manifest: no key but those described, no value that has to be converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _valued(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A parser's own error, as pydantic wants to hear it."""

    def validate(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            return value
        try:
            return parse(value)
        except InputError as error:
            raise ValueError(f"{error.what}; {error.fix}") from error

    return validate


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, (str, dict)) else value


def _input_lines(value: Any) -> Any:
    """``{image = "N,3,224,224"}`` or ``{image = ["N", 3, 224, 224]}`` as the lines that the command line takes."""
    if not isinstance(value, dict):
        return value
    return [f"{name}={','.join(map(str, dims)) if isinstance(dims, list) else dims}" for name, dims in value.items()]


def _source_tables(value: Any) -> Any:
    values = value if isinstance(value, list) else [value]
    return [{"location": each} if isinstance(each, str) else each for each in values]


Quantity = str | int | float
Bytes = Annotated[int, BeforeValidator(_valued(parse_bytes), json_schema_input_type=Quantity)]
Seconds = Annotated[float, BeforeValidator(_valued(parse_seconds), json_schema_input_type=Quantity)]
TargetName = Annotated[Target, Field(strict=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]
MatrixValue = bool | int | float | str | list[str]


class SourceTable(Table):
    """A checkpoint and what belongs to it."""

    location: Text = Field(
        description="A file or a glob (`nets/*.pth`), `torchvision:NAME` or `timm:NAME` (globs too), a URL, or "
        "`hf://ORGANISATION/REPOSITORY/FILE@REVISION`."
    )
    sha256: str | None = Field(None, pattern=SHA256, description="What the file's bytes must hash to, in hexadecimal.")
    weights: Text | None = Field(
        None,
        description="For an architecture by name: published weights (`DEFAULT`, `IMAGENET1K_V2`, a timm tag), or "
        "`random`.",
    )
    seed: int | None = Field(None, ge=0, description="For random weights: the seed they are drawn by.")


Sources = Annotated[
    list[SourceTable],
    Field(min_length=1),
    BeforeValidator(_source_tables, json_schema_input_type=Text | SourceTable | list[Text | SourceTable]),
]


class BudgetTable(Table):
    """What the files must keep, beyond agreeing with the model they are made of."""

    int8_min_sqnr_db: float | None = Field(
        None, description="Least signal over quantization noise of the static int8 file, in dB."
    )
    max_size: dict[TargetName, Bytes] = Field(
        default_factory=dict, description='The most a file may weigh, by target: `{ int8 = "5 MB" }`.'
    )
    min_top1: dict[TargetName, Fraction] = Field(
        default_factory=dict,
        description="The least share of samples whose first class is PyTorch's, by target: `{ int8 = 0.9 }`.",
    )


class ExpectTable(Table):
    """An accepted failure. An unexpected pass fails as well."""

    outcome: Annotated[
        Outcome,
        Field(strict=False, description="How it fails.", json_schema_extra={"enum": [str(each) for each in FAILURES]}),
    ]
    reason: Text = Field(description="Why that is accepted.")
    expires: date = Field(description="Until when, as a TOML date: `2027-01-31`.")
    target: TargetName | None = Field(None, description="Which file fails; the whole job if left out.")
    when: dict[str, MatrixValue] = Field(
        default_factory=dict, description='Only jobs of the matrix with these values: `{ lowering = "exact" }`.'
    )


class ModelOptions(Table):
    """Everything that `[defaults]` may hold and a `[[model]]` may say otherwise."""

    weights: Text | None = Field(
        None,
        description="Weights of architectures by name: `DEFAULT` (published, the default), the name of others, or "
        "`random`.",
    )
    arch: Text | None = Field(
        None,
        description="The architecture: `torchvision:NAME`, `timm:NAME`, `FILE.py:CLASS` or `PACKAGE.MODULE:CLASS`; "
        "recognised if left out.",
    )
    arch_args: dict[str, bool | int | float | str | list[Any]] | None = Field(
        None, description="Arguments for the architecture: `{ num_classes = 10 }`."
    )
    inputs: Annotated[
        list[str] | None,
        BeforeValidator(_input_lines, json_schema_input_type=list[str] | dict[str, str | list[str | int]] | None),
    ] = Field(
        None,
        description='Inputs, where the architecture\'s own are not wanted: `["image=N,1,28,28"]` or '
        '`{ ids = "N,16:int64:0..999" }`.',
    )
    dynamic: Annotated[
        list[str] | None,
        BeforeValidator(_input_lines, json_schema_input_type=list[str] | dict[str, str | list[str | int]] | None),
    ] = Field(
        None,
        description='Names for axes of inputs that are to stay free, as the batch does: `["image=N,3,H,W"]` or '
        '`{ image = ["N", 3, "H", "W"] }`.',
    )
    output_names: list[str] | None = Field(None, description="Names of the outputs, in order.")
    trust_pickle: bool | None = Field(None, description="Load a pickled module, which runs code from the file.")
    partial: bool | None = Field(None, description="Accept missing or unexpected tensors, and list them.")
    ema: bool | None = Field(None, description="Take the moving-average copy of the weights, where there is one.")
    part: str | None = Field(
        None, description="Which part of a torchvision detector: `network`, `box_head`, `mask_head` or `keypoint_head`."
    )
    opset: int | None = Field(None, ge=1, description="The ONNX operator set to write.")
    exporter: Literal["auto", "newer", "older"] | None = Field(
        None,
        description="torch's exporter: `auto` (newer, and older where that fails or parity does), `newer` or `older`.",
    )
    lowering: Literal["auto", "exact", "onnx2tf"] | None = Field(
        None,
        description="How ONNX becomes TensorFlow: `exact` (op by op), `onnx2tf`, or `auto` (exact, and onnx2tf for a "
        "model that it refuses).",
    )
    layout: list[str] | None = Field(
        None, description='Inputs and outputs that keep PyTorch\'s axis order: `["image=NCHW"]`.'
    )
    int8_io: Literal["int8", "uint8", "float32"] | None = Field(
        None, description="What the int8 file takes and gives: `int8`, `uint8` or `float32`."
    )
    max_samples: int | None = Field(None, ge=1, description="Calibrate on at most this many samples.")
    ranges: Annotated[RangesOption, Field(strict=False)] | None = Field(
        None, description="How int8 ranges are chosen: `auto` tries several on samples held back."
    )
    corrections: str | None = Field(
        None,
        description=f"Corrections before rounding: `auto`, `none`, or some of `{','.join(NAMES)}`.",
    )
    keep_float: list[str] | None = Field(
        None, description="Ops of the int8 file to leave in float: op types, PyTorch modules or tensors."
    )
    keep_int16: list[str] | None = Field(None, description="Ops to give int16 activations, named likewise.")
    input_stats: list[str] | None = Field(
        None, description='What an input\'s bytes mean, `(byte - MEAN) / STD`: `["image=127.5,127.5"]`.'
    )
    require_full_int8: bool | None = Field(None, description="Fail if any op of the int8 file stays in float.")
    calibration: Text | None = Field(
        None,
        description="Samples to calibrate static int8 on: a folder of images, `.npz`/`.npy`, `FILE.py:CALLABLE`, "
        "`MODULE:CALLABLE`, or `synthetic` for inputs distilled from batch norms.",
    )
    evaluation: Text | None = Field(
        None, description="Samples to judge on; some of the calibration samples are held out if left out."
    )
    max_judging: int | None = Field(None, ge=1, description="Judge on at most this many samples.")
    seed: int | None = Field(None, ge=0, description="Seed of random samples.")
    targets: list[TargetName] | None = Field(
        None,
        min_length=1,
        description="The files to make; all of them if left out, `int8` only where there is calibration.",
        json_schema_extra={"uniqueItems": True},
    )
    budgets: BudgetTable | None = Field(None, description="What the files must keep, beyond parity.")
    memory: Bytes | None = Field(
        None, gt=0, description='The most memory all processes of a job may use: `"6 GiB"`, or bytes.'
    )
    timeout: Seconds | None = Field(None, gt=0, description='The longest a job may run: `"10 min"`, or seconds.')
    processes: int | None = Field(None, ge=1, description="The most processes a job may have at a time.")
    max_log: Bytes | None = Field(None, gt=0, description='The most a job may print: `"16 MiB"`, or bytes.')
    cores: int | None = Field(None, ge=1, description="Cores a job is given.")
    scratch: Text | None = Field(None, description="The folder a job works in, if not the zoo's.")
    tags: list[Text] | None = Field(None, description="Words to select models by: `--filter tag=detector`.")
    tier: int | None = Field(None, description="How much a model matters, to select by: `--filter tier=1`.")
    license: Text | None = Field(None, description="The licence of the weights, for the summary.")
    expect: Annotated[
        list[ExpectTable] | None,
        BeforeValidator(_listed, json_schema_input_type=ExpectTable | list[ExpectTable] | None),
    ] = Field(None, description="Failures that are accepted for now: a table, or an array of them.")


class ModelTable(ModelOptions):
    """One checkpoint, or several that are converted alike; one job for each, and for each cell of its matrix."""

    id: str | None = Field(
        None,
        pattern=ID,
        description="The model's name in the zoo, which is a folder's name; taken from the source if left out. Where "
        "the source is several, the beginning of each one's name.",
    )
    source: Sources = Field(
        description="The checkpoint: a file, a glob, `torchvision:NAME`, `timm:NAME`, a URL or "
        "`hf://ORG/REPO/FILE@REVISION`; a table that says more of it; or an array of those."
    )
    sha256: str | None = Field(None, pattern=SHA256, description="What the one checkpoint's bytes must hash to.")
    matrix: dict[str, Annotated[list[MatrixValue], Field(min_length=1)]] | None = Field(
        None,
        description="Keys of this table with several values each; every combination is a job: "
        '`{ lowering = ["exact", "onnx2tf"] }`.',
    )


class ZooTable(Table):
    """What is said of the zoo as a whole."""

    name: Text | None = Field(None, description="The zoo's name; its folder's if left out.")
    output: Text | None = Field(None, description="The folder for everything a run makes; `--output` overrides it.")


class ManifestFile(Table):
    """A model zoo: what to convert, what each job may use, and what is expected of it."""

    zoo: ZooTable = Field(default_factory=lambda: ZooTable.model_validate({}), description="The zoo as a whole.")
    defaults: ModelOptions = Field(
        default_factory=lambda: ModelOptions.model_validate({}),
        description="Keys for every model; one that a model has itself replaces it whole.",
    )
    model: list[ModelTable] = Field(min_length=1, description="The models.")
