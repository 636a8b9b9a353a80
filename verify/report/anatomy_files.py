"""``NAME.anatomy.json`` and ``NAME.anatomy.html`` beside an int8 file."""

from __future__ import annotations

import json
from pathlib import Path

from verify.atomic import write_text
from verify.errors import ReportUnreadable
from verify.report.anatomy import ANATOMY_VERSION, Anatomy

SUFFIX = ".anatomy.json"
PAGE_SUFFIX = ".anatomy.html"


def anatomy_path_beside(model: Path) -> Path:
    """``net_int8.tflite`` → ``net.anatomy.json`` in the same folder."""
    return model.with_name(model.name.removesuffix(".tflite").removesuffix("_int8") + SUFFIX)


def write_anatomy(path: Path, anatomy: Anatomy) -> None:
    """Write it as JSON, whole or not at all."""
    from verify.jsonio import to_jsonable

    write_text(path, json.dumps(to_jsonable(anatomy), ensure_ascii=False, allow_nan=False) + "\n")


def read_anatomy(path: Path) -> Anatomy:
    """What :func:`write_anatomy` wrote; raises ``ReportUnreadable``, for another version too."""
    from pydantic import ValidationError

    from verify.jsonio import from_jsonable

    try:
        anatomy: Anatomy = from_jsonable(Anatomy, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise ReportUnreadable(f"{path} is no anatomy of an int8 file: {error}", fix="quantize again") from error
    if anatomy.schema_version != ANATOMY_VERSION:
        raise ReportUnreadable(
            f"{path} has version {anatomy.schema_version!r}; this release reads {ANATOMY_VERSION!r}",
            fix="quantize again with this release",
        )
    return anatomy


def write_anatomy_page(model: Path, anatomy: Anatomy) -> Path:
    """The page for the int8 file ``model``, beside it."""
    from verify.report.inside import inside
    from verify.report.templates import environment

    beside = anatomy_path_beside(model)
    path = beside.with_name(beside.name.removesuffix(SUFFIX) + PAGE_SUFFIX)
    template = environment().get_template("anatomy_page.html.j2")
    write_text(path, template.render(inside=inside(anatomy), file=model.name, json_file=beside.name))
    return path
