"""``models/<id>/``: what the store has, put where a person finds it, and nothing of theirs lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.zoo.places import Places
from convert.zoo.result import Conversion, JobResult, Outcome
from convert.zoo.store import Store, StoreDamaged, open_store
from verify.errors import InputError


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "zoo")


@pytest.fixture
def store(places: Places) -> Store:
    return open_store(str(places.store))


def made(store: Store, tmp_path: Path, **contents: str) -> JobResult:
    """A result whose files hold these texts; ``__`` in a name is a folder."""
    files = []
    for name, text in contents.items():
        path = name.replace("__", "/").replace("_json", ".json")
        source = tmp_path / "made" / path
        source.parent.mkdir(parents=True, exist_ok=True)
        source.unlink(missing_ok=True)
        source.write_text(text)
        files.append(store.put_file(source, path))
    return JobResult("m", "key", Outcome.OK, conversion=Conversion(Outcome.OK, "fine", files=tuple(files)))


def test_a_result_is_put_whole_with_its_folders(places: Places, store: Store, tmp_path: Path) -> None:
    places.checkout("m").update(store, made(store, tmp_path, report_json="{}", saved__graph="g"))
    assert (places.models / "m" / "saved" / "graph").read_text() == "g"
    assert (places.models / "m" / "report.json").read_text() == "{}"


def test_a_later_result_replaces_what_the_earlier_one_put(places: Places, store: Store, tmp_path: Path) -> None:
    checkout = places.checkout("m")
    checkout.update(store, made(store, tmp_path, report_json="1", saved__graph="g"))
    checkout.update(store, made(store, tmp_path, report_json="2"))
    assert sorted(path.name for path in (places.models / "m").rglob("*")) == ["report.json"]
    assert (places.models / "m" / "report.json").read_text() == "2"


def test_what_the_user_added_stays(places: Places, store: Store, tmp_path: Path) -> None:
    checkout = places.checkout("m")
    checkout.update(store, made(store, tmp_path, report_json="1"))
    (places.models / "m" / "notes.txt").write_text("mine")
    checkout.update(store, JobResult("m", "key2", Outcome.TIMEOUT))
    assert [path.name for path in (places.models / "m").iterdir()] == ["notes.txt"]


def test_a_model_that_fails_now_shows_no_files_of_when_it_worked(places: Places, store: Store, tmp_path: Path) -> None:
    checkout = places.checkout("m")
    checkout.update(store, made(store, tmp_path, report_json="1"))
    checkout.update(store, JobResult("m", "key2", Outcome.TIMEOUT))
    assert not (places.models / "m").exists()


def test_a_file_that_somebody_changed_or_removed_is_put_again(places: Places, store: Store, tmp_path: Path) -> None:
    checkout, result = places.checkout("m"), made(store, tmp_path, report_json="1", net="n")
    checkout.update(store, result)
    (places.models / "m" / "net").unlink()
    (places.models / "m" / "net").write_text("changed")
    checkout.update(store, result)
    assert (places.models / "m" / "net").read_text() == "n"


def test_an_intact_folder_is_left_alone(places: Places, store: Store, tmp_path: Path) -> None:
    checkout, result = places.checkout("m"), made(store, tmp_path, report_json="1")
    checkout.update(store, result)
    before = (places.models / "m").stat().st_mtime_ns
    checkout.update(store, result)
    assert (places.models / "m").stat().st_mtime_ns == before


def test_a_result_whose_bytes_are_gone_is_told_apart(places: Places, store: Store, tmp_path: Path) -> None:
    result = made(store, tmp_path, report_json="1")
    for blob in (places.store / "blobs").rglob("*"):
        if blob.is_file():
            blob.unlink()
    with pytest.raises(StoreDamaged):
        places.checkout("m").update(store, result)


def test_two_runs_do_not_work_in_one_folder(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convert.zoo.places._LOCK_WAIT_SECONDS", 0.2)
    with places.locked(), pytest.raises(InputError, match=r"another run works in zoo/"), places.locked():
        pass
    with places.locked():
        pass
