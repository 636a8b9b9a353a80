"""Parts of a zoo: the models that filters choose, and one shard of several."""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import re
from collections.abc import Callable, Collection, Mapping, Sequence

from convert.zoo.job import Budgets, Target
from convert.zoo.plan import PlannedModel, Zoo
from verify.errors import InputError

_VALUES: Mapping[str, Callable[[PlannedModel], tuple[str, ...]]] = {
    "id": lambda model: (model.id,),
    "tag": lambda model: model.tags,
    "tier": lambda model: () if model.tier is None else (str(model.tier),),
    "license": lambda model: (model.license,) if model.license else (),
    "target": lambda model: tuple(model.task.targets),
}
_HOW = "write id=resnet*, tag=detector|classifier, tier=1, license=… or target=int8, with commas for all of several"
_SHOWN = 12


def select(zoo: Zoo, filters: Sequence[str]) -> Zoo:
    """The models that every filter chooses, in the manifest's order.

    A filter is ``KEY=VALUE``, or several of them after commas, all of which must hold; a value may be a glob, or
    several after ``|``, one of which must match. Keys are ``id``, ``tag``, ``tier``, ``license`` and ``target``.

    Raises ``InputError`` for a filter that no model of the zoo meets, and when none meets all.
    """
    clauses = [_clause(text) for filter_ in filters for text in _split(filter_)]
    for key, value in clauses:
        if not any(_meets(model, key, value) for model in zoo.models):
            raise _meets_nothing(zoo, key, value)
    chosen = tuple(model for model in zoo.models if all(_meets(model, key, value) for key, value in clauses))
    if not chosen:
        raise InputError(f"no model meets all of {', '.join(filters)}", fix="each alone is met: ask for fewer at once")
    return dataclasses.replace(zoo, models=chosen)


def only_targets(zoo: Zoo, text: str) -> Zoo:
    """The zoo with fewer files to make: ``float32,int8``. A model that makes none of them makes all of its own.

    Raises ``InputError`` for a name that is no target.
    """
    names = {name.strip() for name in text.split(",") if name.strip()}
    if unknown := names.difference(Target):
        raise InputError(f"--targets {min(unknown)!r} is no file to make", fix=f"use some of {', '.join(Target)}")
    return dataclasses.replace(zoo, models=tuple(_making(model, names) for model in zoo.models))


def _making(model: PlannedModel, names: Collection[str]) -> PlannedModel:
    targets = tuple(target for target in model.task.targets if target in names) or model.task.targets
    budgets = Budgets(
        {target: most for target, most in model.task.budgets.max_size_bytes.items() if target in targets},
        {target: least for target, least in model.task.budgets.min_top1_agreement.items() if target in targets},
    )
    expect = tuple(each for each in model.expect if each.target is None or each.target in targets)
    return dataclasses.replace(
        model, task=dataclasses.replace(model.task, targets=targets, budgets=budgets), expect=expect
    )


def shard(zoo: Zoo, text: str) -> Zoo:
    """One part of several, as ``2/8``: every model is in exactly one of the eight.

    Models are dealt out by turns, in the order of their ids. Hashing ids would keep a model in its shard when others
    come and go, but deals unevenly: of 30 models in 8 shards the largest has 7 on average, not 4, and the largest shard
    is what one waits for. What another shard converted is found in a shared store anyway.

    Raises ``InputError`` for a text that is no such part. A shard may be empty when there are more of them than models.
    """
    match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(f"--shard {text!r} is no part of a whole", fix="write 2/8 for the second of eight")
    number, count = int(match[1]), int(match[2])
    mine = set(sorted(model.id for model in zoo.models)[number - 1 :: count])
    return dataclasses.replace(zoo, models=tuple(model for model in zoo.models if model.id in mine))


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _clause(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if key not in _VALUES or not separator or not value:
        raise InputError(f"--filter {text!r} is no KEY=VALUE with a key of {', '.join(_VALUES)}", fix=_HOW)
    return key, value


def _meets(model: PlannedModel, key: str, value: str) -> bool:
    given = _VALUES[key](model)
    return any(fnmatch.fnmatchcase(each, pattern) for each in given for pattern in value.split("|"))


def _meets_nothing(zoo: Zoo, key: str, value: str) -> InputError:
    there = sorted({each for model in zoo.models for each in _VALUES[key](model)})
    close = difflib.get_close_matches(value, there, 3)
    if close:
        fix = f"did you mean {' or '.join(close)}?"
    elif there:
        more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
        fix = f"there are {', '.join(there[:_SHOWN])}{more}"
    else:
        fix = f"no model has any {key}"
    return InputError(f"--filter {key}={value} meets none of the {len(zoo.models)} models", fix=fix)
