"""What a Ray worker does around the wrapper, without Ray."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from convert.zoo.engines.base import Finished
from convert.zoo.engines.ray_messages import Errand, software
from convert.zoo.engines.ray_task import environment_without_ray, on_this_machine, perform
from convert.zoo.job import Job, ModelTask, Source, SourceKind
from convert.zoo.result import Outcome
from verify.jsonio import from_jsonable, to_jsonable


def test_a_machine_with_another_torch_refuses_the_job_and_says_which(tmp_path: Path) -> None:
    planned = tuple((name, "2.0.0" if name == "torch" else version) for name, version in software())
    job = Job("resnet", "key", ModelTask(Source(SourceKind.FILE, "a.pth"), "a"), tmp_path, tmp_path, str(tmp_path))
    errand = Errand(job, planned, tmp_path)
    finished: Finished = from_jsonable(Finished, json.loads(perform(json.dumps(to_jsonable(errand)))))
    assert finished.result is not None
    assert finished.result.outcome is Outcome.INFRASTRUCTURE
    assert finished.result.what.endswith(f"has torch {dict(software())['torch']} instead of 2.0.0")
    assert finished.result.fix == "install the same versions on every machine of the cluster"


def test_the_wrapper_gets_the_environment_that_it_has_without_ray() -> None:
    given = {"PATH": "/bin", "OMP_NUM_THREADS": "1", "RAY_JOB_ID": "01000000", "SPT_NOENV": "1"}
    assert environment_without_ray(given) == {"PATH": "/bin"}


def test_a_scratch_folder_that_is_not_on_this_machine_moves_to_a_temporary_one(tmp_path: Path) -> None:
    job = Job("resnet", "key", ModelTask(Source(SourceKind.FILE, "a.pth"), "a"), tmp_path, tmp_path / "new", "store")
    assert on_this_machine(job) == job
    elsewhere = replace(job, scratch=Path("/on/another/machine"))
    assert on_this_machine(elsewhere).scratch == Path(tempfile.gettempdir()) / "zoo-scratch"


def test_asking_for_the_engine_imports_no_ray() -> None:
    script = "import sys, convert.zoo.engines.ray_engine, convert.zoo.engines.ray_task; assert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
