"""Filters and shards."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from convert.zoo.job import Budgets, ModelTask, Source, SourceKind, Target
from convert.zoo.manifest import only_targets, select, shard
from convert.zoo.plan import PlannedModel, Zoo
from verify.errors import InputError


def _zoo(*models: tuple[str, tuple[str, ...], int | None]) -> Zoo:
    def planned(name: str, tags: tuple[str, ...], tier: int | None) -> PlannedModel:
        task = ModelTask(Source(SourceKind.FILE, f"{name}.pth"), stem=name)
        return PlannedModel(name, task, tags=tags, tier=tier)

    return Zoo("zoo", Path(), tuple(planned(*model) for model in models))


ZOO = _zoo(
    ("resnet18", ("classifier",), 1),
    ("resnet18@lowering=exact", ("classifier",), 2),
    ("yolo", ("detector", "phone"), 1),
    ("unet", ("segmenter", "phone"), None),
)


def _ids(zoo: Zoo) -> list[str]:
    return [model.id for model in zoo.models]


@pytest.mark.parametrize(
    ("filters", "chosen"),
    [
        (["tag=phone"], ["yolo", "unet"]),
        (["tag=detector|segmenter"], ["yolo", "unet"]),
        (["tag=classifier,tier=1"], ["resnet18"]),
        (["tag=phone", "tier=1"], ["yolo"]),
        (["id=resnet*"], ["resnet18", "resnet18@lowering=exact"]),
        (["id=*@lowering=exact"], ["resnet18@lowering=exact"]),
        (["target=int8,id=u*"], ["unet"]),
        ([], ["resnet18", "resnet18@lowering=exact", "yolo", "unet"]),
    ],
)
def test_filters_choose_in_the_manifests_order(filters: list[str], chosen: list[str]) -> None:
    assert _ids(select(ZOO, filters)) == chosen


@pytest.mark.parametrize(
    ("filters", "what", "fix"),
    [
        (["tag=detektor"], "--filter tag=detektor meets none of the 4 models", "did you mean detector?"),
        (["tier=7"], "--filter tier=7 meets none", "there are 1, 2"),
        (["license=MIT"], "--filter license=MIT meets none", "no model has any license"),
        (["tags=phone"], "'tags=phone' is no KEY=VALUE with a key of id, tag, tier", "write id=resnet*"),
        (["tag=detector", "tier=2"], "no model meets all of tag=detector, tier=2", "each alone is met"),
    ],
)
def test_a_filter_that_chooses_nothing_is_an_error(filters: list[str], what: str, fix: str) -> None:
    with pytest.raises(InputError) as caught:
        select(ZOO, filters)
    assert what in caught.value.what
    assert fix in caught.value.fix


@pytest.mark.parametrize("count", [1, 3, 8, 40])
def test_every_model_is_in_exactly_one_shard_and_shards_are_even(count: int) -> None:
    zoo = _zoo(*((f"net{number}", (), None) for number in range(30)))
    shards = [_ids(shard(zoo, f"{number}/{count}")) for number in range(1, count + 1)]
    assert Counter(name for part in shards for name in part) == Counter(_ids(zoo))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_the_order_of_a_manifest_does_not_move_models_between_shards() -> None:
    models = [(f"net{number}", (), None) for number in range(10)]
    forwards, backwards = _zoo(*models), _zoo(*reversed(models))
    assert set(_ids(shard(forwards, "2/3"))) == set(_ids(shard(backwards, "2/3")))


@pytest.mark.parametrize("text", ["", "0/8", "9/8", "2", "a/b", "1/0", "-1/2"])
def test_a_shard_that_is_no_part_of_a_whole_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"is no part of a whole"):
        shard(ZOO, text)


def test_fewer_files_leave_the_budgets_of_those_that_are_made() -> None:
    task = replace(ZOO.models[0].task, budgets=Budgets({Target.INT8: 1, Target.FLOAT32: 2}))
    zoo = replace(ZOO, models=(replace(ZOO.models[0], task=task),))
    (model,) = only_targets(zoo, "float32, onnx").models
    assert model.task.targets == (Target.ONNX, Target.FLOAT32)
    assert model.task.budgets.max_size_bytes == {Target.FLOAT32: 2}
    (untouched,) = only_targets(replace(zoo, models=(model,)), "int8").models
    assert untouched == model


def test_a_name_that_is_no_file_to_make_is_refused() -> None:
    with pytest.raises(InputError, match="--targets 'int4' is no file to make"):
        only_targets(ZOO, "float32,int4")
