"""A whole run around an engine that plays a script: what reaches the summary."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console
from test_scheduler import ScriptedEngine

from convert.zoo.engines.base import Finished
from convert.zoo.job import Job, ModelTask, Source, SourceKind
from convert.zoo.places import Places
from convert.zoo.plan import PlannedModel, Zoo
from convert.zoo.progress import ZooProgress
from convert.zoo.result import Conversion, JobResult, Outcome, StoredFile
from convert.zoo.run import ZooRun, run_zoo
from convert.zoo.summary.types import Standing, ZooReport


def run(folder: Path, names: tuple[str, ...]) -> ZooReport:
    """Of every job the engine says that it is ok; of ``lost`` it names a file that the store does not have."""
    for name in names:
        (folder / f"{name}.pth").write_bytes(name.encode())

    def script(job: Job) -> Finished:
        files = (StoredFile("report.json", "0" * 64, 2),) if job.id == "lost" else ()
        return Finished(
            job.id, JobResult(job.id, job.key, Outcome.OK, conversion=Conversion(Outcome.OK, "", files=files))
        )

    models = tuple(PlannedModel(n, ModelTask(Source(SourceKind.FILE, f"{n}.pth"), n)) for n in names)
    progress = ZooProgress(Console(file=io.StringIO()), total=len(names), slots=1)
    zoo = Zoo("test", folder, models)
    return run_zoo(zoo, ZooRun(Places(folder / "out")), lambda places, lock: ScriptedEngine(script), progress)


def test_a_result_whose_files_are_gone_costs_its_own_model_and_no_other(tmp_path: Path) -> None:
    rows = {row.id: row for row in run(tmp_path, ("lost", "good")).rows}
    assert rows["good"].standing is Standing.PASS
    assert rows["lost"].standing is Standing.FAIL
    assert "the job ended (ok), but its files could not be put into models/" in rows["lost"].why
