"""What a Ray worker does around the wrapper, without Ray."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from convert.versions import versions
from convert.zoo.engines.base import Finished
from convert.zoo.engines.own_folder import own_folder
from convert.zoo.engines.ray_messages import Errand
from convert.zoo.engines.ray_task import environment_without_ray, perform
from convert.zoo.job import Job, ModelTask, Source, SourceKind
from convert.zoo.result import Outcome
from verify.jsonio import from_jsonable, to_jsonable

_A_WHILE_SECONDS = 3600.0


def test_a_machine_with_another_torch_refuses_the_job_and_says_which(tmp_path: Path) -> None:
    planned = tuple((name, "2.0.0" if name == "torch" else version) for name, version in versions())
    job = Job("resnet", "key", ModelTask(Source(SourceKind.FILE, "a.pth"), "a"), tmp_path, tmp_path, str(tmp_path))
    errand = Errand(job, planned, tmp_path)
    finished: Finished = from_jsonable(Finished, json.loads(perform(json.dumps(to_jsonable(errand)))))
    assert finished.result is not None
    assert finished.result.outcome is Outcome.INFRASTRUCTURE
    assert finished.result.what.endswith(f"has torch {dict(versions())['torch']} instead of 2.0.0")
    assert finished.result.fix == "install the same versions on every machine of the cluster"


def test_the_wrapper_gets_the_environment_that_it_has_without_ray() -> None:
    given = {"PATH": "/bin", "OMP_NUM_THREADS": "1", "RAY_JOB_ID": "01000000", "SPT_NOENV": "1"}
    assert environment_without_ray(given) == {"PATH": "/bin"}


def test_a_folder_whose_process_was_killed_is_removed_by_the_next_one(tmp_path: Path) -> None:
    script = "import sys, time; from pathlib import Path; from convert.zoo.engines.own_folder import own_folder; "
    script += "print(own_folder(Path(sys.argv[1])), flush=True); time.sleep(300)"
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        (folder / "large").write_bytes(b"0" * 1000)
        _age(folder)
        own_folder(tmp_path)
        assert folder.is_dir(), "its process lives"
        owner.kill()
    own_folder(tmp_path)
    assert not folder.exists()


def test_asking_for_the_engine_imports_no_ray() -> None:
    script = "import sys, convert.zoo.engines.ray_engine, convert.zoo.engines.ray_task; assert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def _age(folder: Path) -> None:
    long_ago = time.time() - _A_WHILE_SECONDS
    os.utime(folder, (long_ago, long_ago))
