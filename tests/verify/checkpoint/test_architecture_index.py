"""The shipped architecture index is what the installed libraries would give today."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

import pytest

from verify.checkpoint.build_index import build
from verify.checkpoint.index import Index, expected_shape, fits, index_path, load_index

SAMPLED = {
    "torchvision": [
        "resnet18",
        "densenet121",
        "googlenet",
        "mnasnet0_5",
        "vit_b_32",
        "fcn_resnet50",
    ],
    "timm": ["resnet18", "resnet26d", "mobilenetv3_small_050", "convnext_atto"],
}


def rebuilt(library: str, folder: Path, only: list[str] | None) -> Index:
    import gzip

    path = folder / "index.json.gz"
    build(library, path, None if only is None else frozenset(only))
    return Index(gzip.decompress(path.read_bytes()).decode().split("\n"))


def described(index: Index, name: str) -> list[tuple[object, ...]]:
    """Everything the index says of an architecture, free of line numbers."""
    return [
        (a.options, a.variant, a.task, a.ignored, a.stem, a.preprocessing, a.published, index.shapes_of(a))
        for a in index.named(name)
    ]


@pytest.mark.parametrize("library", sorted(SAMPLED))
def test_shipped_index_is_current_for_sampled_architectures(library: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    shipped, fresh = load_index(library), rebuilt(library, tmp_path, SAMPLED[library])
    assert shipped.built_with == {library: importlib.metadata.version(library)}
    for name in SAMPLED[library]:
        assert described(fresh, name), name
        assert described(shipped, name) == described(fresh, name)


def test_shipped_index_names_every_torchvision_architecture() -> None:
    from verify.checkpoint.torchvision_shim import import_torchvision

    names = [name for name in import_torchvision().models.list_models() if not name.startswith("quantized_")]
    index = load_index("torchvision")
    assert sorted(index.architecture_names) == sorted(names)
    assert index.skipped == {}


@pytest.mark.slow
@pytest.mark.parametrize("library", ["torchvision", pytest.param("timm", marks=pytest.mark.rebuild)])
def test_rebuilding_the_index_gives_the_shipped_bytes(library: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    build(library, tmp_path / "index.json.gz")
    assert (tmp_path / "index.json.gz").read_bytes() == index_path(library).read_bytes()


def test_indexes_are_small() -> None:
    assert index_path("torchvision").stat().st_size < 150_000
    assert index_path("timm").stat().st_size < 1_500_000


@pytest.mark.parametrize(
    ("dims", "shape", "expected"),
    [
        ("64,i,7,7", (64, 3, 7, 7), (True, None, 3)),
        ("64,i,7,7", (64, 3, 5, 5), (False, None, None)),
        ("c1+0,512", (10, 512), (True, 10, None)),
        ("c6+0,512", (60, 512), (True, 10, None)),
        ("c6+0,512", (61, 512), (False, None, None)),
        ("c1+1", (4,), (True, 3, None)),
        ("", (), (True, None, None)),
        ("", (1,), (False, None, None)),
    ],
)
def test_pattern_fits_only_its_shapes(dims: str, shape: tuple[int, ...], expected: tuple[object, ...]) -> None:
    assert fits(dims, shape) == expected


def test_pattern_reads_as_words() -> None:
    assert expected_shape("c1+0,512") == "(classes, 512)"
    assert expected_shape("64,i,7,7") == "(64, input channels, 7, 7)"
