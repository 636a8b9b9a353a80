"""Command-line commands made from data: a command's flags are the fields of its stages and of its run options."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from verify.errors import InputError

KEY_VALUE_PAIRS = tuple[tuple[str, str], ...]

T = TypeVar("T")


class Parsed:
    """The values of one command line; builds the dataclasses that the flags came from."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    @property
    def model(self) -> Path:
        """The model the command was given; raises ``InputError`` when there is none of that name."""
        path: Path = self._values["model"]
        if not path.exists():
            raise InputError(f"{path} does not exist", fix="check the spelling, and the folder you are in")
        return path

    def build(self, kind: type[T]) -> T:
        """An instance of a dataclass whose fields are flags of this command; other fields keep their defaults."""
        hints = get_type_hints(kind)
        fields = {
            field.name: _as_field(self._values[field.name], hints[field.name], option_name(field))
            for field in _flag_fields(kind)
            if field.name in self._values
        }
        return kind(**fields)


def command(kinds: Sequence[type[Any]], model_help: str, body: Callable[[Parsed], None]) -> Callable[..., None]:
    """A function for ``typer.Typer.command``: one argument, the model, and a flag for each field of ``kinds``."""
    model = inspect.Parameter(
        "model",
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[Path, typer.Argument(help=model_help, show_default=False)],
    )
    parameters = {"model": model}
    for kind in kinds:
        for name, parameter in _parameters(kind).items():
            if name in parameters:
                raise TypeError(f"two flags of one command are named {name}")
            parameters[name] = parameter

    def run(**values: Any) -> None:
        body(Parsed(values))

    run.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    run.__annotations__ = {name: parameter.annotation for name, parameter in parameters.items()}
    return run


def option_name(field: dataclasses.Field[Any]) -> str:
    """``--int8-io`` for a field ``int8_io``, unless the field names its flag itself."""
    return field.metadata["cli_name"] or f"--{field.name.replace('_', '-')}"


def _flag_fields(kind: type[Any]) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(kind) if "help" in field.metadata]


def _parameters(kind: type[Any]) -> dict[str, inspect.Parameter]:
    hints = get_type_hints(kind)
    parameters = {}
    for field in _flag_fields(kind):
        option = typer.Option(
            *option_name(field).split("/"),
            help=field.metadata["help"],
            metavar=field.metadata["metavar"],
            rich_help_panel=kind.title,
            show_default=field.default not in (None, (), False),
        )
        hint, default = _as_option(hints[field.name], field.default)
        parameters[field.name] = inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[hint, option]
        )
    return parameters


def _as_option(hint: Any, default: Any) -> tuple[Any, Any]:
    """Typer has no tuples of any length: they are repeated options, a list."""
    if hint in {KEY_VALUE_PAIRS, tuple[str, ...]}:
        return list[str], list(default)
    return hint, default


def _as_field(value: Any, hint: Any, option: str) -> Any:
    if hint == KEY_VALUE_PAIRS:
        return tuple(_pair(text, option) for text in value)
    return tuple(value) if hint == tuple[str, ...] else value


def _pair(text: str, option: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise InputError(f"{option} {text} is not NAME=VALUE", fix=f"write it as {option} num_classes=10")
    return name, value
