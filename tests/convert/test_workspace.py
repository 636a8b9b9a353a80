"""The output folder is whole or not there, and what has not changed is reused."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from convert.stages.base import Host, Stage, StageResult, flag
from convert.workspace import Ledger, Made, Workspace, stage_key
from verify.artifact import Artifact, Format, sha256_of
from verify.errors import LoweringFailed
from verify.signature import Signature


@dataclass(frozen=True)
class Copy(Stage):
    """Copies a file: the smallest stage there is."""

    name: ClassVar[str] = "copy"
    title: ClassVar[str] = "copy"
    consumes: ClassVar[Format] = Format.ONNX
    produces: ClassVar[Format] = Format.TFLITE
    host: ClassVar[Host] = Host.RUNTIME
    artifact_name: ClassVar[str] = "float32"
    suffix: ClassVar[str] = "_float32.tflite"
    level: int = flag(1, "level")

    def call(self, artifact: Artifact, out: Path) -> StageResult:
        out.write_bytes(artifact.path.read_bytes())
        return StageResult(Artifact(out, Format.TFLITE, Signature((), ()), sha256_of(out)))


def publish(output: Path, content: bytes, *, source: str = "aa", key: str = "k1", name: str = "float32") -> None:
    with Workspace(output, "net") as workspace:
        file = workspace.staging / f"net_{name}.tflite"
        file.write_bytes(content)
        (workspace.staging / "report.json").write_text("{}")
        artifact = Artifact(Path(file.name), Format.TFLITE, Signature((), ()), sha256_of(file))
        workspace.publish(Ledger("run", {name: Made(key, artifact, source)}), ("report.json", "report.html"))


def fail_halfway(output: Path) -> None:
    with Workspace(output, "net") as workspace:
        workspace.log_path.write_text("last words")
        (workspace.staging / "net_float32.tflite").write_bytes(b"half")
        raise LoweringFailed("no")


def test_nothing_is_visible_before_publishing(tmp_path: Path) -> None:
    with Workspace(tmp_path / "net", "net") as workspace:
        (workspace.staging / "net.onnx").write_bytes(b"half")
        assert not (tmp_path / "net").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_an_earlier_result_whole_and_its_log_beside_it(tmp_path: Path) -> None:
    publish(tmp_path / "net", b"good")
    with pytest.raises(LoweringFailed):
        fail_halfway(tmp_path / "net")
    assert (tmp_path / "net" / "net_float32.tflite").read_bytes() == b"good"
    assert (tmp_path / "net" / "report.json").exists()
    assert (tmp_path / "net.failed.log").read_text() == "last words"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net", "net.failed.log"]


def test_publishing_keeps_files_that_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "notes.txt").write_text("mine")
    publish(tmp_path / "net", b"one")
    publish(tmp_path / "net", b"two", key="k2")
    assert (tmp_path / "net" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "net" / "net_float32.tflite").read_bytes() == b"two"


def test_a_saved_model_folder_is_replaced_whole(tmp_path: Path) -> None:
    for content in ("first", "second"):
        with Workspace(tmp_path / "net", "net") as workspace:
            folder = workspace.staging / "net_saved_model"
            folder.mkdir()
            (folder / content).write_text(content)
            workspace.publish(Ledger(), ())
    assert [p.name for p in (tmp_path / "net" / "net_saved_model").iterdir()] == ["second"]


def test_a_file_from_another_input_does_not_stay_beside_the_new_ones(tmp_path: Path) -> None:
    publish(tmp_path / "net", b"int8 of the old model", source="old", name="int8")
    publish(tmp_path / "net", b"float of the new model", source="new", name="float32")
    assert not (tmp_path / "net" / "net_int8.tflite").exists()


def test_a_file_made_from_the_same_input_stays(tmp_path: Path) -> None:
    publish(tmp_path / "net", b"int8", source="same", name="int8")
    publish(tmp_path / "net", b"float", source="same", name="float32")
    assert (tmp_path / "net" / "net_int8.tflite").read_bytes() == b"int8"
    assert Workspace(tmp_path / "net", "net").earlier.made.keys() == {"int8", "float32"}


def test_the_same_key_is_reused_and_a_damaged_file_is_not(tmp_path: Path) -> None:
    publish(tmp_path / "net", b"good")
    with Workspace(tmp_path / "net", "net") as workspace:
        assert workspace.reusable(Copy(), "k1") is not None
        assert (workspace.staging / "net_float32.tflite").read_bytes() == b"good"
        assert workspace.reusable(Copy(), "k2") is None
    (tmp_path / "net" / "net_float32.tflite").write_bytes(b"tampered")
    with Workspace(tmp_path / "net", "net") as workspace:
        assert workspace.reusable(Copy(), "k1") is None


def test_the_key_follows_input_options_and_further_inputs() -> None:
    keys = [
        stage_key(Copy(), "aa"),
        stage_key(Copy(), "bb"),
        stage_key(Copy(level=2), "aa"),
        stage_key(Copy(), "aa", ("x",)),
    ]
    assert len(set(keys)) == 4
    assert stage_key(Copy(), "aa") == keys[0]


def test_a_damaged_ledger_costs_the_reuse_and_nothing_else(tmp_path: Path) -> None:
    publish(tmp_path / "net", b"good")
    (tmp_path / "net" / ".reuse.json").write_text('{"made": 3')
    assert Workspace(tmp_path / "net", "net").earlier == Ledger()


def test_what_a_killed_run_left_is_swept_by_the_next(tmp_path: Path) -> None:
    dead = tmp_path / ".net.partial-999999999"
    dead.mkdir()
    alive = tmp_path / f".net.partial-{os.getppid()}"
    alive.mkdir()
    with Workspace(tmp_path / "net", "net"):
        assert not dead.exists()
        assert alive.exists()
