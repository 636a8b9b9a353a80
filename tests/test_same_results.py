"""The comparison of two runs sees what it should, and only that."""

from __future__ import annotations

import json
from pathlib import Path

from same_results import differences, normalised


def written(folder: Path, report: object, model: bytes = b"model") -> Path:
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "report.html").write_text(str(report))
    (folder / "net.tflite").write_bytes(model)
    return folder


def test_times_and_what_was_reused_are_no_difference(tmp_path: Path) -> None:
    mine = written(tmp_path / "mine", {"total_seconds": 1.0, "stages": [{"reused": True, "name": "export"}]})
    others = written(tmp_path / "others", {"total_seconds": 2.0, "stages": [{"reused": False, "name": "export"}]})
    assert differences(mine, others) == []


def test_a_number_another_byte_and_a_missing_file_are(tmp_path: Path) -> None:
    mine = written(tmp_path / "mine", {"edges": [{"sqnr_db": 30.1}]})
    others = written(tmp_path / "others", {"edges": [{"sqnr_db": 30.2}]}, b"other")
    (mine / "signature.json").write_text("{}")
    assert differences(mine, others) == [
        "net.tflite: other bytes",
        "report.json: .edges[0].sqnr_db is '30.1' and '30.2'",
        "signature.json: only in the first",
    ]


def test_hashes_of_files_that_hold_times_are_left_out_and_others_are_not() -> None:
    report = {"path": "report.json", "sha256": "a", "size_bytes": 3}
    model = {"path": "net.tflite", "sha256": "b", "size_bytes": 3}
    assert normalised([report, model]) == [{"path": "report.json"}, model]
