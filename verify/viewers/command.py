"""``--open`` of both commands: asks for a viewer before the work, and shows a model after it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from verify.atomic import write_texts
from verify.console import progress_console
from verify.report.node_data import node_data
from verify.report.verification import Verification
from verify.viewers.installed import Installed, installed, viewers_named
from verify.viewers.show import can_be_stopped, show


def viewers_asked_for(asked: bool, name: str | None) -> tuple[Installed, ...]:
    """Those to open with: none where none was asked for, or where nobody could stop one, which is said.

    Raises ``MissingDependency`` where none is installed.
    """
    if not asked and name is None:
        return ()
    wanted = viewers_named(name)
    if can_be_stopped():
        return installed(wanted)
    _say("nothing is opened: a viewer runs until Ctrl-C, and this is no terminal, or a CI job")
    return ()


def open_model(model: Path, viewers: tuple[Installed, ...]) -> None:
    """Show a model until the user stops it."""
    show(model, (), viewers, _say)


def open_judged(verification: Verification, viewers: tuple[Installed, ...]) -> None:
    """Show the model with the first culprit, else the last one, coloured by the errors of its layers."""
    faulty = [where.actual for where in verification.localisations if where.culprit is not None]
    models = {model.name: Path(model.path) for model in verification.models}
    name = faulty[0] if faulty else verification.models[-1].name
    with tempfile.TemporaryDirectory(prefix="verify-open-") as folder:
        texts = {Path(folder, file): text for file, text in node_data(verification, model=name).items()}
        write_texts(texts)
        show(models[name], tuple(texts), viewers, _say)


def _say(text: str) -> None:
    progress_console().print(text, markup=False, soft_wrap=True)
