"""A command group whose first command needs no name: ``verify A B`` is ``verify models A B``."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

DEFAULT = "models"


class DefaultCommandGroup(TyperGroup):
    """What follows the program's name is a sub-command where it is the name of one, else the default command's."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command's name in front where none is."""
        named = bool(args) and args[0] in self.commands
        return super().parse_args(ctx, args if named else [DEFAULT, *args])
