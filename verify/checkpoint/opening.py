"""Open a checkpoint: read it inertly, find its architecture, put the weights in, describe it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from verify.checkpoint import fitting
from verify.checkpoint.architectures import (
    ArchitectureName,
    arguments_of,
    indexed,
    library_constructor,
    parse_arch,
    recognised_maker,
    user_constructor,
)
from verify.checkpoint.construction import built_lean, on_meta
from verify.checkpoint.default_inputs import default_inputs
from verify.checkpoint.detection import is_detector, part_of, set_published_epsilon
from verify.checkpoint.dynamic_axes import name_axes
from verify.checkpoint.index import Architecture
from verify.checkpoint.input_specs import resolve_inputs
from verify.checkpoint.materialise import Materialised, require_finite
from verify.checkpoint.opened import ModuleKind, OpenedModel, forward_parameters, sizes
from verify.checkpoint.recognise import Recognised, match_named, recognise, recognised_if_known
from verify.checkpoint.sources import StateDict, WholeModule, read_state_dict
from verify.errors import ArchitectureUnknown, InputError
from verify.model import ModelDescription, ModelSource
from verify.samples import InputSpec

_CLASSIFIER_TASKS = ("classification", "video")


@dataclass(frozen=True)
class _Choice:
    """An architecture that is decided on, and how to build it."""

    title: str
    recognised_by: str
    make: Callable[[], torch.nn.Module]
    lean: bool
    """Built without memory first; only for constructors that are known to stand it."""
    recognised: Recognised | None = None
    architecture: Architecture | None = None
    """The library's entry, for its preprocessing."""


def open_checkpoint(source: ModelSource) -> OpenedModel:
    """The model that a source means. The last one is kept: export and the reference run of one worker share it."""
    try:
        state = source.path.stat()
    except OSError:
        return _open(source, 0, 0)  # whoever reads the file says what is wrong with it
    return _open(source, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=1)
def _open(source: ModelSource, _modified_ns: int, _size: int) -> OpenedModel:
    opened = read_state_dict(source)
    if isinstance(opened, StateDict):
        return _open_state_dict(source, opened)
    return _open_whole(source, opened)


def _open_state_dict(source: ModelSource, state: StateDict) -> OpenedModel:
    choice = _chosen_by_user(source, state) if source.arch else _recognised(source.path, state)
    if choice.recognised is not None:
        found = choice.recognised
        keys: Mapping[str, str] = state.original_keys(found.spelling, found.keys)
        module = built_lean(choice.make, keys)
        shapes = {name: found.spelling[key] for name, key in found.keys.items()}
        fitting.require_whole(source.path, choice.title, fitting.best_fit(module, [shapes]), partial=False)
        notes = found.notes + _notes_on_dropped(found)
    else:
        module = _with_shapes(choice)
        fit = fitting.best_fit(module, list(state.spellings))
        notes = fitting.require_whole(source.path, choice.title, fit, partial=source.partial)
        keys = state.original_keys(fit.spelling, fit.keys)
        module = built_lean(choice.make, keys) if choice.lean else module
    loaded = state.materialise(keys)
    fitting.load(module, loaded.tensors)
    return _finished(source, module.eval().float(), choice, (*state.notes, *notes, *_notes_on_width(loaded)))


def _with_shapes(choice: _Choice) -> torch.nn.Module:
    """The module itself, or one without memory that has its shapes."""
    if not choice.lean:
        return choice.make()
    try:
        return on_meta(choice.make)
    except RuntimeError:
        return choice.make()


def _open_whole(source: ModelSource, whole: WholeModule) -> OpenedModel:
    """A TorchScript archive, exported program or trusted pickle: the module is there, its inputs may be known."""
    choice = _Choice(whole.title, whole.title, lambda: whole.module, lean=False)
    found = recognised_if_known(source.path, list(whole.spellings))
    if found is not None:
        choice = dataclasses.replace(choice, recognised=found, architecture=found.architecture)
    module = whole.module.eval().float() if whole.kind is ModuleKind.EAGER else whole.module
    opened = _finished(source, module, choice, whole.notes, whole.inputs)
    return dataclasses.replace(opened, kind=whole.kind, program=whole.program)


def _recognised(path: Path, state: StateDict) -> _Choice:
    found = recognise(path, list(state.spellings))
    count = len(found.keys)
    return _Choice(
        found.architecture.title,
        f"names and shapes of {count} tensors",
        recognised_maker(found),
        lean=True,
        recognised=found,
        architecture=found.architecture,
    )


def _chosen_by_user(source: ModelSource, state: StateDict) -> _Choice:
    assert source.arch is not None
    arch = parse_arch(source.arch)
    arguments = arguments_of(source.arch_args)
    if not arch.library:
        return _Choice(arch.text, "--arch", user_constructor(arch, arguments), lean=False)
    entries = indexed(arch)
    found = None if arguments else match_named(source.path, entries, list(state.spellings))
    if found is not None:
        return _Choice(arch.text, "--arch", recognised_maker(found), True, found, found.architecture)
    make = _library_maker(arch, entries[0], state, arguments)
    return _Choice(arch.text, "--arch", make, lean=True, architecture=entries[0])


def _library_maker(
    arch: ArchitectureName, entry: Architecture, state: StateDict, arguments: dict[str, object]
) -> Callable[[], torch.nn.Module]:
    """The library's constructor with the user's arguments, the number of classes taken from the head if it is there."""
    from verify.checkpoint.recognise import classes_in

    classes = None if "num_classes" in arguments else classes_in(entry, list(state.spellings))
    constructor = library_constructor(entry, {**dict(entry.options), **arguments})

    def make() -> torch.nn.Module:
        try:
            return constructor(classes)
        except TypeError as error:
            raise ArchitectureUnknown(
                f"{arch.text} could not be built with {arguments}: {error}", fix="check --arch-args"
            ) from error

    return make


def _finished(
    source: ModelSource,
    module: torch.nn.Module,
    choice: _Choice,
    notes: tuple[str, ...],
    known_inputs: tuple[InputSpec, ...] = (),
) -> OpenedModel:
    detector, part = (module, part_of(module, source.part)) if is_detector(module) else (None, None)
    if part is not None:
        module, notes = part.module.eval(), (*notes, *part.notes, *_notes_on_epsilon(module, choice))
    elif source.part:
        raise InputError(
            f"--part {source.part}: {choice.title} is no torchvision detector, it has no parts", fix="leave --part out"
        )
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    statistics = [(name, tensor) for name, tensor in module.named_buffers() if ".running_" in f".{name}"]
    require_finite(source.path, [*module.named_parameters(), *statistics])
    known = part.inputs if part is not None else known_inputs
    defaults, assumed = (known, ()) if known else default_inputs(choice.architecture, choice.recognised)
    names, required = forward_parameters(module)
    if known_inputs:
        names, required = tuple(spec.name for spec in known_inputs), len(known_inputs)
    inputs = name_axes(resolve_inputs(source.inputs, names, required, defaults), source.dynamic)
    parameter_count, weight_bytes = sizes(module)
    classifier = choice.architecture is not None and choice.architecture.task in _CLASSIFIER_TASKS
    description = ModelDescription(
        architecture=choice.title,
        recognised_by=choice.recognised_by,
        inputs=inputs,
        output_names=source.output_names or (("logits",) if classifier else ()),
        parameter_count=parameter_count,
        weight_bytes=weight_bytes,
        class_count=_class_count(module, choice) if classifier else None,
        notes=(*notes, *(assumed if not source.inputs else ())),
    )
    return OpenedModel(module, description, detector=detector)


def _class_count(module: torch.nn.Module, choice: _Choice) -> int | None:
    if choice.recognised is not None:
        return choice.recognised.classes
    heads = [layer for layer in module.modules() if isinstance(layer, torch.nn.Linear)]
    return heads[-1].out_features if heads else None


def _notes_on_epsilon(detector: torch.nn.Module, choice: _Choice) -> tuple[str, ...]:
    if choice.architecture is None:
        return ()
    return set_published_epsilon(
        detector, choice.architecture, choice.recognised.published if choice.recognised else None
    )


def _notes_on_dropped(found: Recognised) -> tuple[str, ...]:
    if not found.dropped:
        return ()
    prefixes = " and ".join(prefix.removesuffix(".") for prefix in found.architecture.ignored)
    return (f"the auxiliary head {prefixes} ({len(found.dropped)} tensors) is left out: inference does not use it",)


def _notes_on_width(loaded: Materialised) -> tuple[str, ...]:
    if not loaded.widened:
        return ()
    return (f"weights stored as {', '.join(loaded.widened)} were converted to float32",)
