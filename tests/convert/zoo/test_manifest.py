"""What a manifest means, and what is said of one that means nothing."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path

import pytest

from convert.export.plan import EXPORTERS
from convert.settings import CalibrationFlags, RunFlags, RunSettings
from convert.stages.export import ExportOnnx
from convert.stages.lower import LOWERINGS, OnnxToSavedModel
from convert.stages.quantize import ToInt8
from convert.zoo.job import GIB, JobLimits, SourceKind, Target
from convert.zoo.manifest import ManifestInvalid, load_zoo
from convert.zoo.manifest.schema import ModelOptions
from convert.zoo.manifest.units import parse_bytes, parse_seconds
from convert.zoo.plan import Zoo
from convert.zoo.result import Outcome
from quantize.calibration.method_names import RangesOption
from quantize.recipe import IoOption
from verify.errors import ExitCode, InputError

TODAY = date(2026, 11, 20)


def _load(folder: Path, text: str) -> Zoo:
    path = folder / "zoo.toml"
    path.write_text(text, encoding="utf-8")
    return load_zoo(path, TODAY)


def _refused(folder: Path, text: str) -> ManifestInvalid:
    with pytest.raises(ManifestInvalid) as caught:
        _load(folder, text)
    return caught.value


def _ids(zoo: Zoo) -> list[str]:
    return [model.id for model in zoo.models]


def test_a_model_with_a_source_alone_is_converted_as_the_command_would_do_it(tmp_path: Path) -> None:
    zoo = _load(tmp_path, '[[model]]\nsource = "nets/mine.v2.pth"')
    (model,) = zoo.models
    assert (zoo.name, zoo.folder, model.id, model.task.stem) == (tmp_path.name, tmp_path, "mine.v2", "mine")
    assert model.task.source.kind is SourceKind.FILE
    assert model.task.source.location == "nets/mine.v2.pth"
    assert (model.task.export, model.task.lower, model.task.int8) == (ExportOnnx(), OnnxToSavedModel(), ToInt8())
    assert model.task.settings == RunSettings(command="convert zoo zoo.toml")
    assert model.task.targets == tuple(target for target in Target if target is not Target.INT8)
    assert model.limits == JobLimits()


def test_every_option_of_the_command_line_has_a_key_that_reaches_it(tmp_path: Path) -> None:
    zoo = _load(
        tmp_path,
        """
        [[model]]
        source = "a.pth"
        arch = "net.py:Net"
        arch_args = { num_classes = 10, act = "relu", width = [1, 2] }
        inputs = { image = ["N", 1, 28, 28], ids = "N,16:int64:0..9" }
        dynamic = { image = ["N", 1, "H", "W"] }
        output_names = ["logits"]
        trust_pickle = true
        partial = true
        ema = true
        part = "network"
        opset = 18
        exporter = "older"
        lowering = "exact"
        layout = ["image=NCHW"]
        int8_io = "float32"
        max_samples = 5
        ranges = "mse"
        corrections = "gptq"
        keep_float = ["SOFTMAX"]
        keep_int16 = ["head"]
        input_stats = ["127.5,127.5"]
        require_full_int8 = true
        calibration = "photos"
        evaluation = "judge.npz"
        max_judging = 7
        seed = 3
        budgets = { int8_min_sqnr_db = 12, max_size = { int8 = "5 MB" }, min_top1 = { int8 = 0.9 } }
        memory = "2 GiB"
        timeout = "10 min"
        processes = 9
        max_log = "1 MiB"
        cores = 2
        scratch = "work"
        tags = ["a", "b"]
        tier = 1
        license = "MIT"
        """,
    )
    (model,) = zoo.models
    task = model.task
    arguments = (("num_classes", "10"), ("act", "'relu'"), ("width", "[1, 2]"))
    assert task.export == ExportOnnx(
        arch="net.py:Net", arch_args=arguments, inputs=("image=N,1,28,28", "ids=N,16:int64:0..9"),
        dynamic=("image=N,1,H,W",),
        output_names=("logits",), trust_pickle=True, partial=True, prefer_ema=True, part="network", opset=18,
        exporter="older",
    )  # fmt: skip
    assert task.lower == OnnxToSavedModel(lowering="exact", layout=("image=NCHW",))
    assert task.int8 == ToInt8(
        int8_io=IoOption.FLOAT32, max_samples=5, ranges=RangesOption.MSE, corrections="gptq",
        keep_float=("SOFTMAX",), keep_int16=("head",), input_stats=("127.5,127.5",), require_full_int8=True,
    )  # fmt: skip
    settings = task.settings
    assert (settings.calibration, settings.evaluation, settings.max_judging) == ("photos", "judge.npz", 7)
    assert (settings.seed, settings.int8_min_sqnr_db) == (3, 12)
    assert task.budgets.max_size_bytes == {Target.INT8: 5_000_000}
    assert task.budgets.min_top1_agreement == {Target.INT8: 0.9}
    assert model.limits == JobLimits(timeout_s=600, memory_bytes=2 * GIB, processes=9, log_bytes=2**20)
    assert (model.cores, model.scratch, model.tags) == (2, tmp_path / "work", ("a", "b"))
    assert (model.tier, model.license) == (1, "MIT")


def test_no_flag_of_a_stage_is_out_of_a_manifests_reach() -> None:
    called_otherwise = {"prefer_ema": "ema", "calib": "calibration", "samples": "evaluation", "memory_limit": "memory"}
    of_the_terminal = {"output", "as_json", "quiet", "verbose"}
    in_budgets = {"int8_min_sqnr_db"}
    flags = {
        field.name
        for kind in (ExportOnnx, OnnxToSavedModel, ToInt8, RunFlags, CalibrationFlags)
        for field in dataclasses.fields(kind)
        if "help" in field.metadata
    }
    keys = {called_otherwise.get(name, name) for name in flags - of_the_terminal - in_budgets}
    assert keys - set(ModelOptions.model_fields) == set()


def test_choices_are_those_of_the_stages() -> None:
    schema = ModelOptions.model_json_schema()["properties"]
    assert tuple(schema["lowering"]["anyOf"][0]["enum"]) == LOWERINGS
    assert tuple(schema["exporter"]["anyOf"][0]["enum"]) == EXPORTERS


def test_a_models_own_key_replaces_the_default_whole(tmp_path: Path) -> None:
    zoo = _load(
        tmp_path,
        """
        [defaults]
        calibration = "photos"
        tags = ["all"]
        budgets = { int8_min_sqnr_db = 10, max_size = { int8 = 1000 } }
        [[model]]
        source = "a.pth"
        [[model]]
        source = "b.pth"
        tags = ["own"]
        budgets = { max_size = { float32 = 9 } }
        """,
    )
    first, second = zoo.models
    assert (first.tags, second.tags) == (("all",), ("own",))
    assert first.task.budgets.max_size_bytes == {Target.INT8: 1000}
    assert second.task.budgets.max_size_bytes == {Target.FLOAT32: 9}
    assert second.task.settings.int8_min_sqnr_db == RunSettings().int8_min_sqnr_db


def test_default_budgets_of_files_that_a_model_does_not_make_do_not_concern_it(tmp_path: Path) -> None:
    zoo = _load(
        tmp_path,
        '[defaults]\nbudgets = { max_size = { int8 = "1 MB", float32 = "4 MB" } }\n'
        '[[model]]\nsource = "a.pth"\ntargets = ["float32"]',
    )
    assert zoo.models[0].task.budgets.max_size_bytes == {Target.FLOAT32: 4_000_000}


def test_a_glob_is_a_model_for_each_file_in_order(tmp_path: Path) -> None:
    for name in ("b/best.pt", "a/best.pt", "c.pth", "a/notes.txt"):
        (tmp_path / "nets" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "nets" / name).touch()
    zoo = _load(tmp_path, '[[model]]\nsource = "nets/**/*.p*"\ntags = ["lab"]')
    assert _ids(zoo) == ["a-best", "b-best", "c"]
    assert [model.task.source.location for model in zoo.models] == ["nets/a/best.pt", "nets/b/best.pt", "nets/c.pth"]
    assert all(model.tags == ("lab",) for model in zoo.models)


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "net[1].pth").touch()
    (model,) = _load(tmp_path, '[[model]]\nsource = "net[1].pth"').models
    assert (model.id, model.task.source.location) == ("net-1-", "net[1].pth")


def test_a_glob_that_finds_nothing_is_a_mistake_and_a_missing_file_is_not(tmp_path: Path) -> None:
    error = _refused(tmp_path, '[[model]]\nsource = "nets/*.pth"\n[[model]]\nsource = "gone.pth"')
    assert "zoo.toml:2: [[model]] 1 (nets/*.pth) source: no file is like 'nets/*.pth'" in str(error)
    assert "gone" not in str(error)
    assert error.exit_code is ExitCode.BAD_INPUT


def test_architectures_by_name_take_globs_and_an_id_before_theirs(tmp_path: Path) -> None:
    zoo = _load(
        tmp_path,
        '[defaults]\nweights = "random"\n[[model]]\nid = "tv"\nsource = ["torchvision:squeezenet1_*", "timm:resnet18"]',
    )
    assert _ids(zoo) == ["tv-squeezenet1_0", "tv-squeezenet1_1", "tv-resnet18"]
    last = zoo.models[-1].task
    assert (last.source.kind, last.source.weights, last.export.arch) == (SourceKind.TIMM, "random", "timm:resnet18")


def test_published_weights_are_what_a_name_means_and_a_tag_is_none_of_the_architecture(tmp_path: Path) -> None:
    (model,) = _load(tmp_path, '[[model]]\nsource = "timm:resnet50.a1_in1k"').models
    assert (model.id, model.task.stem) == ("resnet50.a1_in1k", "resnet50")
    assert (model.task.source.weights, model.task.export.arch) == ("DEFAULT", "timm:resnet50")


def test_two_of_one_name_are_told_apart_by_what_stands_before_or_after_it(tmp_path: Path) -> None:
    zoo = _load(tmp_path, '[[model]]\nsource = ["torchvision:resnet18", "timm:resnet18", "x/a.pth", "x/a.safetensors"]')
    assert _ids(zoo) == ["torchvision-resnet18", "timm-resnet18", "x-a-pth", "x-a-safetensors"]


def test_a_source_can_be_a_url_or_a_file_on_hugging_face(tmp_path: Path) -> None:
    zoo = _load(
        tmp_path,
        '[[model]]\nsource = "https://models.example/nets/my%20net.pth?v=2"\n'
        '[[model]]\nsource = "hf://timm/resnet50.a1_in1k/model.safetensors@v1"\n'
        '[[model]]\nsource = "s3://bucket/run/best.ckpt"',
    )
    assert _ids(zoo) == ["my-net", "resnet50.a1_in1k-model", "run-best"]
    kinds = [model.task.source.kind for model in zoo.models]
    assert kinds == [SourceKind.URL, SourceKind.HUGGING_FACE, SourceKind.URL]
    assert zoo.models[1].task.source.location == "timm/resnet50.a1_in1k/model.safetensors@v1"


def test_a_matrix_is_a_job_for_every_combination(tmp_path: Path) -> None:
    zoo = _load(
        tmp_path,
        """
        [[model]]
        source = "a.pth"
        calibration = "photos"
        matrix = { lowering = ["exact", "onnx2tf"], targets = [["float32"], ["float16", "int8"]] }
        expect = { outcome = "conversion", reason = "no GRU", expires = 2027-01-31, when = { lowering = "exact" } }
        """,
    )
    assert _ids(zoo) == [
        "a@lowering=exact@targets=float32",
        "a@lowering=exact@targets=float16+int8",
        "a@lowering=onnx2tf@targets=float32",
        "a@lowering=onnx2tf@targets=float16+int8",
    ]
    last = zoo.models[-1]
    assert (last.task.lower.lowering, last.task.targets) == ("onnx2tf", (Target.FLOAT16, Target.INT8))
    assert [len(model.expect) for model in zoo.models] == [1, 1, 0, 0]
    accepted = zoo.models[0].expect[0]
    assert (accepted.outcome, accepted.reason, accepted.expires) == (Outcome.CONVERSION, "no GRU", date(2027, 1, 31))


def test_every_mistake_is_listed_with_its_line_and_what_was_meant(tmp_path: Path) -> None:
    error = _refused(
        tmp_path,
        """[defaults]
calibratoin = "photos"
memory = "six GiB"

[[model]]
id = "../escape"
source = "a.pth"
opset = "20"
lowering = "exakt"

[[model]]
expect = { outcome = "oom", reason = "it is large", expires = "2027-01-31" }
""",
    )
    assert str(error).splitlines() == [
        "zoo.toml:2: [defaults] calibratoin: there is no such key; did you mean calibration?",
        "  zoo.toml:3: [defaults] memory: 'six GiB' is not a size above zero; "
        "write it as 6 GiB (of 1024³ bytes) or 5 MB (of 1000²)",
        "  zoo.toml:6: [[model]] 1 (../escape) id: '../escape' was given; expected letters, digits and . _ + @ = - "
        "(at most 120, none of the marks but _ first)",
        "  zoo.toml:8: [[model]] 1 (../escape) opset: '20' was given; expected a whole number",
        "  zoo.toml:9: [[model]] 1 (../escape) lowering: 'exakt' was given; expected auto, exact or onnx2tf; "
        "did you mean exact?",
        "  zoo.toml:11: [[model]] 2 source: is missing",
        "  zoo.toml:12: [[model]] 2 expect.expires: '2027-01-31' was given; "
        "expected a TOML date, without quotes: 2027-01-31",
        "  fix: docs/zoo-manifest.md lists every key",
    ]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('weights = "random"', "weights: a.pth has weights of its own"),
        ('targets = ["int8"]', "targets: int8 was asked for and nothing to calibrate it on"),
        ('arch = "resnet18"', "arch: 'resnet18' names no library, file or module; did you mean torchvision:resnet18?"),
        ('arch = "torchvision:resnet19"', "arch: torchvision has no architecture 'resnet19'"),
        ('inputs = ["image=3,224"]', "inputs: image=3,224: the first size is the batch, which stays free"),
        ('layout = ["image"]', "layout: 'image' is not NAME=AXES"),
        ("budgets = { min_top1 = { int8 = 0.9 } }", "budgets: int8 has a budget and is not made"),
        ("budgets = { min_top1 = { float16 = 90 } }", "budgets.min_top1.float16: 90 was given"),
        ('matrix = { id = ["a", "b"] }', "matrix: 'id' is no key that a matrix can have"),
        ('matrix = { opset = [18, "x"] }', "matrix: @opset=x: opset 'x' was given; expected a whole number"),
        ('expect = { outcome = "ok", reason = "x", expires = 2027-01-01 }', "expect: ok is no failure to accept"),
        ('expect = { outcome = "oom", reason = "x", expires = 2099-01-01 }', "expect: it expires on 2099-01-01"),
        (
            'expect = { outcome = "oom", reason = "x", expires = 2027-01-01, when = { opset = 18 } }',
            "expect: when names 'opset', which is no key of the matrix",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_key_and_the_reason(tmp_path: Path, table: str, said: str) -> None:
    assert said in _refused(tmp_path, f'[[model]]\nsource = "a.pth"\n{table}').what


def test_an_architecture_that_no_library_has_is_refused_with_close_ones(tmp_path: Path) -> None:
    error = _refused(tmp_path, '[[model]]\nsource = "torchvision:resnet81"')
    assert "torchvision has no architecture 'resnet81'" in error.what
    assert "resnet18" in error.fix


def test_two_models_of_one_id_are_refused_even_if_only_case_tells_them_apart(tmp_path: Path) -> None:
    error = _refused(tmp_path, '[[model]]\nid = "Net"\nsource = "a.pth"\n[[model]]\nid = "net"\nsource = "b.pth"')
    assert "zoo.toml:5: [[model]] 2 (net) id: 'net' is also the id of [[model]] 1 (Net)" in error.what


def test_one_checkpoint_in_two_models_needs_ids(tmp_path: Path) -> None:
    error = _refused(tmp_path, '[[model]]\nsource = "a.pth"\n[[model]]\nsource = "a.pth"\nopset = 18')
    assert "is also the id of [[model]] 1 (a.pth)" in error.what
    assert "give one of them another id" in error.fix


def test_a_file_that_is_no_toml_or_not_there_says_so(tmp_path: Path) -> None:
    assert "zoo.toml is not TOML" in _refused(tmp_path, "[[model]]\nsource = a.pth").what
    assert "line 2" in _refused(tmp_path, "[[model]]\nsource = a.pth").what
    with pytest.raises(ManifestInvalid, match="cannot be read: No such file"):
        load_zoo(tmp_path / "none.toml", TODAY)


def test_an_empty_manifest_asks_for_a_model(tmp_path: Path) -> None:
    error = _refused(tmp_path, "")
    assert (error.what, error.fix) == ("zoo.toml: model: is missing", "add a [[model]] table")


@pytest.mark.parametrize(
    ("text", "size"), [("6 GiB", 6 * 2**30), ("5MB", 5_000_000), ("1.5 kib", 1536), ("12", 12), (7, 7)]
)
def test_sizes_are_read_as_written(text: str | int, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(("text", "seconds"), [("10 min", 600), ("1.5h", 5400), ("90 s", 90), (30, 30), (0.5, 0.5)])
def test_times_are_read_as_written(text: str | float, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "GiB", "-1 GiB", "0", "6 Gi", "1e3", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a size above zero"):
        parse_bytes(text)
