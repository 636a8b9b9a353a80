"""The torchvision zoo is a manifest of thirty, with photographs that its own script writes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

from convert.zoo.job import SourceKind
from convert.zoo.manifest import load_zoo

EXAMPLE = Path(__file__).parents[2] / "examples" / "torchvision_zoo"
ITS_DAY = date(2026, 12, 1)


def test_it_names_thirty_networks_and_needs_no_download(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "zoo", ignore=shutil.ignore_patterns("build"))
    subprocess.run([sys.executable, tmp_path / "zoo" / "make_photos.py"], check=True)
    zoo = load_zoo(tmp_path / "zoo" / "zoo.toml", ITS_DAY)
    sources = [model.task.source for model in zoo.models]
    assert len({source.location for source in sources}) == 30
    assert {(source.kind, source.weights) for source in sources} == {(SourceKind.TORCHVISION, "random")}
    assert len(list((tmp_path / "zoo" / "build" / "calibration").glob("*.png"))) == 64
    assert len(list((tmp_path / "zoo" / "build" / "evaluation").glob("*.png"))) == 32
