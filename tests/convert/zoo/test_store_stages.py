"""What a stage made for one model serves another run of the same stage, under that run's names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from convert.workspace import LEDGER_NAME, Ledger, Made
from convert.zoo.result import StoredFile
from convert.zoo.store import open_store
from convert.zoo.store.content import ContentStore, blob_path
from convert.zoo.store.stages import StoreStages, keep_stages
from verify.artifact import Artifact, Format, sha256_of
from verify.jsonio import to_jsonable
from verify.signature import Signature


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    return open_store(str(tmp_path / "store"))


def published(folder: Path, artifact: str, companions: Sequence[str] = ()) -> Path:
    """An output folder with a stage's files and a ledger that names them, made under the key ``k``."""
    made = Made(
        "k",
        Artifact(Path(artifact), Format.TFLITE, Signature((), ()), sha256_of(folder / artifact)),
        "s",
        (*companions,),
    )
    (folder / LEDGER_NAME).write_text(json.dumps(to_jsonable(Ledger("run", {"int8": made}))))
    return folder


def kept(store: ContentStore, folder: Path) -> tuple[StoredFile, ...]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = tuple(store.put_file(path, path.relative_to(folder).as_posix()) for path in paths)
    keep_stages(store, folder, "net", files)
    return files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    return tmp_path / "net"


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "run.log").touch()
    return tmp_path / "staging"


def test_a_file_and_its_recipe_come_under_the_runs_own_name(store: ContentStore, folder: Path, staging: Path) -> None:
    (folder / "net_int8.tflite").write_bytes(b"int8")
    (folder / "net.recipe.json").write_text("{}")
    kept(store, published(folder, "net_int8.tflite", ["net.recipe.json"]))
    made = StoreStages(store, "other").fetch("k", staging)
    assert made is not None
    assert (made.artifact.path, made.companions) == (Path("other_int8.tflite"), ("other.recipe.json",))
    assert sha256_of(staging / made.artifact.path) == made.artifact.sha256
    assert sorted(path.name for path in staging.iterdir()) == ["other.recipe.json", "other_int8.tflite", "run.log"]


def test_a_saved_model_comes_as_a_folder(store: ContentStore, folder: Path, staging: Path) -> None:
    (folder / "net_saved_model" / "variables").mkdir(parents=True)
    (folder / "net_saved_model" / "saved_model.pb").write_bytes(b"graph")
    (folder / "net_saved_model" / "variables" / "net_of_the_same_name").write_bytes(b"weights")
    kept(store, published(folder, "net_saved_model"))
    made = StoreStages(store, "other").fetch("k", staging)
    assert made is not None
    assert sha256_of(staging / "other_saved_model") == made.artifact.sha256


def test_weights_that_a_model_names_are_not_renamed(store: ContentStore, folder: Path, staging: Path) -> None:
    (folder / "net.onnx").write_bytes(b"weights are in net.onnx.data")
    (folder / "net.onnx.data").write_bytes(b"weights")
    kept(store, published(folder, "net.onnx", ["net.onnx.data"]))
    assert StoreStages(store, "other").fetch("k", staging) is None
    assert StoreStages(store, "net").fetch("k", staging) is not None
    assert (staging / "net.onnx.data").read_bytes() == b"weights"


def test_another_key_is_another_stage(store: ContentStore, folder: Path, staging: Path) -> None:
    (folder / "net_int8.tflite").write_bytes(b"int8")
    kept(store, published(folder, "net_int8.tflite"))
    assert StoreStages(store, "net").fetch("another", staging) is None


@pytest.mark.parametrize("damaged", ["saved_model.pb", "weights"])
def test_a_damaged_stage_is_no_stage_and_leaves_nothing_behind(
    store: ContentStore, folder: Path, staging: Path, damaged: str
) -> None:
    (folder / "net_saved_model" / "variables").mkdir(parents=True)
    (folder / "net_saved_model" / "saved_model.pb").write_bytes(b"graph")
    (folder / "net_saved_model" / "variables" / "weights").write_bytes(b"weights")
    files = kept(store, published(folder, "net_saved_model"))
    file = next(file for file in files if file.path.endswith(damaged))
    (Path(store.url) / blob_path(file.sha256)).unlink()
    assert StoreStages(store, "net").fetch("k", staging) is None
    assert [path.name for path in staging.iterdir()] == ["run.log"]


def test_a_folder_without_a_readable_ledger_keeps_no_stages(store: ContentStore, folder: Path) -> None:
    (folder / LEDGER_NAME).write_text('{"made"')
    kept(store, folder)
    assert list(store.files.list("stages")) == []
