"""Zoo reports as runs would write them: small, of every outcome, and of a thousand models; seeded."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from convert.zoo.job import GIB, JobLimits, ModelTask, Source, SourceKind, Target
from convert.zoo.plan import Expectation, PlannedModel, Zoo
from convert.zoo.result import Conversion, JobResult, Outcome, StoredFile, TargetResult
from convert.zoo.summary.build import RunFacts, build_report
from convert.zoo.summary.types import ZooReport

CREATED = "2026-03-14T09:26:53+00:00"
TODAY = date(2026, 3, 14)
HOSTILE = '</script><script>document.title="pwned"</script><img src=x onerror=alert(1)>\u202e\x1b[31m'
VERSIONS = (("pth2tflite", "0.1.0"), ("torch", "2.9.0"), ("tensorflow", "2.19.0"), ("ai-edge-litert", "2.1.0"))
TFLITE = (Target.FLOAT32, Target.FLOAT16, Target.DYNAMIC_INT8, Target.INT8)

_ARCHITECTURES = {
    "alexnet": 61.1, "convnext_tiny": 28.6, "densenet121": 8.0, "efficientnet_b0": 5.3, "efficientnet_b3": 12.2,
    "googlenet": 6.6, "inception_v3": 27.2, "mnasnet1_0": 4.4, "mobilenet_v2": 3.5, "mobilenet_v3_large": 5.5,
    "mobilenet_v3_small": 2.5, "regnet_x_400mf": 5.5, "regnet_y_800mf": 6.4, "resnet18": 11.7, "resnet34": 21.8,
    "resnet50": 25.6, "resnet101": 44.5, "resnext50_32x4d": 25.0, "shufflenet_v2_x1_0": 2.3, "squeezenet1_1": 1.2,
    "swin_t": 28.3, "vgg11": 132.9, "vgg16": 138.4, "vit_b_16": 86.6, "wide_resnet50_2": 68.9,
}  # fmt: skip
"""Millions of parameters."""

_SHARE = {Target.FLOAT32: 4.0, Target.FLOAT16: 2.0, Target.DYNAMIC_INT8: 1.05, Target.INT8: 1.1}
"""Bytes a parameter."""

_SQNR_DB = {Target.FLOAT32: 118.0, Target.FLOAT16: 68.0, Target.DYNAMIC_INT8: 36.0, Target.INT8: 29.0}
_SPEED = {Target.FLOAT32: 1.0, Target.FLOAT16: 1.05, Target.DYNAMIC_INT8: 0.62, Target.INT8: 0.4}

_WHAT = {
    Outcome.CONVERSION: (
        "lowering: no exact lowering of ONNX op GridSample (mode=bicubic) is known",
        "give --lowering onnx2tf, or export the model without bicubic grid sampling",
    ),
    Outcome.BAD_INPUT: (
        "the file is no checkpoint: it ends after 4,096 of 46,830,571 bytes",
        "fetch it again and give its sha256 in the manifest",
    ),
    Outcome.OOM: (
        "the job used 12.9 GB, more than its 12.9 GB, for the second time",
        "raise memory in the manifest, or drop the saved_model target",
    ),
    Outcome.TIMEOUT: ("the job ran longer than its 30 min", "raise timeout in the manifest"),
    Outcome.SIGNAL: ("the interpreter ended by signal 11 while it ran int8", "see the end of the job's log"),
    Outcome.INFRASTRUCTURE: ("no space is left on the scratch disk", "give the zoo a larger --scratch"),
}


def model(
    id_: str,
    *,
    expect: Sequence[Expectation] = (),
    tags: Sequence[str] = ("vision",),
    tier: int | None = 1,
    license_: str = "BSD-3-Clause",
) -> PlannedModel:
    task = ModelTask(Source(SourceKind.TORCHVISION, "resnet18"), stem="resnet18")
    return PlannedModel(id_, task, tags=tuple(tags), tier=tier, license=license_, expect=tuple(expect))


def accepted(
    outcome: Outcome, *, target: Target | None = None, days: int = 90, reason: str = "known, see #123"
) -> Expectation:
    return Expectation(outcome, reason, TODAY + timedelta(days=days), target)


def target_result(
    target: Target, chance: random.Random, *, parameters: float = 11.7, stem: str = "resnet18"
) -> TargetResult:
    size = int(parameters * 1e6 * _SHARE[target] * chance.uniform(1.0, 1.04))
    judged_like_float = target in {Target.FLOAT32, Target.FLOAT16}
    return TargetResult(
        name=target,
        file=f"{stem}_{target}.tflite",
        size_bytes=size,
        outcome=Outcome.OK,
        sqnr_db=round(_SQNR_DB[target] + chance.gauss(0, 4), 2),
        top1_agreement=1.0 if judged_like_float else round(chance.uniform(27, 32)) / 32,
        latency_ms=round(parameters * 1.9 * _SPEED[target] * chance.lognormvariate(0, 0.5), 3),
    )


def ok_result(id_: str, chance: random.Random, *, architecture: str = "resnet18") -> JobResult:
    parameters = _ARCHITECTURES[architecture]
    targets = tuple(target_result(it, chance, parameters=parameters, stem=architecture) for it in TFLITE)
    sha256 = f"{chance.getrandbits(256):064x}"
    files = tuple(StoredFile(it.file, f"{chance.getrandbits(256):064x}", it.size_bytes) for it in targets)
    conversion = Conversion(
        Outcome.OK,
        f"Yes: all files are right. int8 is a quarter of float32’s size at {targets[-1].sqnr_db:.1f} dB.",
        architecture,
        sha256,
        targets,
        files,
    )
    return JobResult(
        id=id_,
        key=sha256[:32],
        outcome=Outcome.OK,
        conversion=conversion,
        log=StoredFile("log.txt", sha256, 18_221),
        seconds=round(parameters * 0.6 * chance.lognormvariate(0, 0.6) + 14, 2),
        peak_memory_bytes=int((1.1 + parameters / 40) * 1e9 * chance.uniform(0.9, 1.1)),
        limits=JobLimits(),
        host="builder-3",
        finished=CREATED,
    )


def failing_target(result: JobResult, target: Target, outcome: Outcome, why: str, sqnr_db: float | None) -> JobResult:
    assert result.conversion is not None
    targets = tuple(
        replace(it, outcome=outcome, why=why, sqnr_db=sqnr_db) if it.name == target else it
        for it in result.conversion.targets
    )
    conversion = replace(result.conversion, outcome=outcome, headline=f"No: {why}.", targets=targets)
    return replace(result, outcome=outcome, conversion=conversion)


def failed(result: JobResult, outcome: Outcome) -> JobResult:
    what, fix = _WHAT[outcome]
    return replace(
        result,
        outcome=outcome,
        signal=11 if outcome is Outcome.SIGNAL else None,
        what=what,
        fix=fix,
        context=("in the stage ONNX → SavedModel, on resnet18.onnx", "PyTorch → ONNX had succeeded"),
        conversion=None,
        attempts=2 if outcome is Outcome.OOM else 1,
        limits=JobLimits(memory_bytes=12 * GIB),
    )


def over_budget(result: JobResult, sqnr_db: float = 11.4) -> JobResult:
    return failing_target(
        result, Target.INT8, Outcome.BUDGET, f"SQNR {sqnr_db} dB is below its budget of 20 dB", sqnr_db
    )


def drifting(result: JobResult) -> JobResult:
    return failing_target(
        result, Target.FLOAT16, Outcome.PARITY, "one-sided NaN in output logits, 3 of 64,000 values", None
    )


def undecided(result: JobResult) -> JobResult:
    return failing_target(result, Target.INT8, Outcome.INCONCLUSIVE, "two samples are too few to judge int8", None)


def report(
    models: Sequence[PlannedModel],
    results: Sequence[JobResult | None],
    *,
    name: str = "torchvision",
    shard: str = "",
    created: str = CREATED,
) -> ZooReport:
    by_id = {it.id: result for it, result in zip(models, results, strict=True) if result is not None}
    run = RunFacts(
        created=created,
        wall_seconds=round(sum(it.seconds for it in by_id.values()) / 1.9, 1),
        engine="local",
        peak_memory_bytes=9_400_000_000,
        memory_cap_bytes=16 * GIB,
        shard=shard,
        versions=VERSIONS,
    )
    return build_report(Zoo(name, Path("zoo"), tuple(models)), by_id, run)


@cache
def small() -> ZooReport:
    """Three models, all right."""
    chance = random.Random(1)
    names = ("resnet18", "mobilenet_v2", "vit_b_16")
    return report([model(it) for it in names], [ok_result(it, chance, architecture=it) for it in names])


@cache
def thirty(seed: int = 2) -> ZooReport:
    """A zoo of 30 with every outcome, known, expired and unexpected ones, a job that did not run, and awkward names."""
    chance = random.Random(seed)
    names = [*_ARCHITECTURES, *_AWKWARD]
    results: list[JobResult | None] = [
        ok_result(it, chance, architecture=it if it in _ARCHITECTURES else "resnet50") for it in names
    ]
    models = [
        model(it, tags=("vision", chance.choice(("classification", "mobile", "legacy"))), tier=1 + i % 3)
        for i, it in enumerate(names)
    ]
    changes = (
        (over_budget, ()),
        (drifting, ()),
        (undecided, ()),
        (lambda it: failed(it, Outcome.CONVERSION), ()),
        (lambda it: failed(it, Outcome.CONVERSION), ()),
        (lambda it: failed(it, Outcome.BAD_INPUT), ()),
        (lambda it: failed(it, Outcome.OOM), ()),
        (lambda it: failed(it, Outcome.TIMEOUT), ()),
        (lambda it: failed(it, Outcome.SIGNAL), ()),
        (lambda it: failed(it, Outcome.INFRASTRUCTURE), ()),
        (lambda it: over_budget(it, 14.2), (accepted(Outcome.BUDGET, target=Target.INT8),)),
        (lambda it: failed(it, Outcome.CONVERSION), (accepted(Outcome.CONVERSION, reason="bicubic, see #7"),)),
        (lambda it: over_budget(it, 16.8), (accepted(Outcome.BUDGET, days=-10, reason="until the new ranges"),)),
        (lambda it: it, (accepted(Outcome.TIMEOUT, reason="slow on the old machines"),)),
        (lambda _: None, ()),
    )
    for index, (change, expect) in zip(range(0, 30, 2), changes, strict=True):
        results[index] = change(results[index])
        models[index] = replace(models[index], expect=expect)
    return report(models, results)


_AWKWARD = (
    "a-model-whose-id-is-as-long-as-the-file-system-allows-and-then-some-with-patch16-224-in21k-ft-in1k-clip-laion2b",
    "模型-résnet-пример",
    "with space & <b>markup</b> #1 100%",
    f"hostile {HOSTILE}",
    "=cmd|calc",
)


@cache
def thousand(seed: int = 3, count: int = 1000) -> ZooReport:
    """A thousand models, of which about one in twelve is not right."""
    chance = random.Random(seed)
    ways = (
        *[(lambda it: over_budget(it, round(chance.uniform(4, 19), 1)))] * 4,
        drifting,
        *[(lambda it: failed(it, Outcome.CONVERSION))] * 3,
        lambda it: failed(it, Outcome.OOM),
        lambda it: failed(it, Outcome.TIMEOUT),
        lambda it: failed(it, Outcome.SIGNAL),
    )
    models, results = [], []
    for index in range(count):
        architecture = chance.choice(list(_ARCHITECTURES))
        id_ = f"{architecture}-{index:04d}"
        result = ok_result(id_, chance, architecture=architecture)
        expect: tuple[Expectation, ...] = ()
        if chance.random() < 0.08:
            result = chance.choice(ways)(result)
            expect = (accepted(result.outcome),) if chance.random() < 0.3 else ()
        tags = ("vision", f"team-{index % 17}", chance.choice(("mobile", "server", "legacy")))
        models.append(model(id_, tags=tags, tier=1 + index % 3, expect=expect))
        results.append(result)
    return report(models, results, name="everything")


SAMPLES = {"small": small, "thirty": thirty, "thousand": thousand}
