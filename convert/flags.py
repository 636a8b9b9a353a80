"""Command-line commands made from stages: a command's flags are its stages' fields, plus what belongs to the run itself."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from convert.stages.base import Stage
from verify.errors import InputError

KEY_VALUE_PAIRS = tuple[tuple[str, str], ...]


def command(
    stages: Sequence[type[Stage]],
    shared: Callable[..., Any],
    body: Callable[[Mapping[str, Any], Sequence[Stage]], None],
) -> Callable[..., None]:
    """A function for ``typer.Typer.command`` whose parameters are those of ``shared`` and the fields of ``stages``.

    ``shared`` is never called: its signature declares the argument and the run's own options. ``body`` receives their
    values by name, and the stages built from the rest.
    """
    own = inspect.signature(shared, eval_str=True).parameters
    parameters = {name: parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for name, parameter in own.items()}
    for stage in stages:
        for name, parameter in _stage_parameters(stage).items():
            parameters.setdefault(name, parameter)

    def run(**values: Any) -> None:
        body({name: values[name] for name in own}, [_build(stage, values) for stage in stages])

    run.__doc__ = shared.__doc__
    run.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    run.__annotations__ = {name: parameter.annotation for name, parameter in parameters.items()}
    return run


def _flag_fields(stage: type[Stage]) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(stage) if "help" in field.metadata]


def _stage_parameters(stage: type[Stage]) -> dict[str, inspect.Parameter]:
    hints = get_type_hints(stage)
    parameters = {}
    for field in _flag_fields(stage):
        name = field.metadata["cli_name"] or f"--{field.name.replace('_', '-')}"
        option = typer.Option(
            name,
            help=field.metadata["help"],
            metavar=field.metadata["metavar"],
            rich_help_panel=stage.title,
            show_default=field.default not in (None, (), False),
        )
        kind, default = _cli_type(hints[field.name], field.default)
        parameters[field.name] = inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
        )
    return parameters


def _cli_type(hint: Any, default: Any) -> tuple[Any, Any]:
    """Typer has no tuples of any length: they are repeated options, a list."""
    if hint == KEY_VALUE_PAIRS or hint == tuple[str, ...]:
        return list[str], list(default)
    return hint, default


def _build(stage: type[Stage], values: Mapping[str, Any]) -> Stage:
    hints = get_type_hints(stage)
    fields: dict[str, Any] = {}
    for field in _flag_fields(stage):
        value = values[field.name]
        if hints[field.name] == KEY_VALUE_PAIRS:
            value = tuple(_pair(text, field.metadata["cli_name"] or f"--{field.name.replace('_', '-')}") for text in value)
        elif hints[field.name] == tuple[str, ...]:
            value = tuple(value)
        fields[field.name] = value
    return stage(**fields)


def _pair(text: str, option: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise InputError(f"{option} {text} is not NAME=VALUE", fix=f"write it as {option} num_classes=10")
    return name, value


def existing(path: Path) -> Path:
    """The path, if there is something there."""
    if not path.exists():
        raise InputError(f"{path} does not exist", fix="check the spelling, and the folder you are in")
    return path
