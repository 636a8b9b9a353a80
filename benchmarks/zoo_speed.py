"""A zoo against `convert pth2tflite` on each of its models in turn: wall time, memory, and the same bytes.

Both run on the same checkpoints on the same machine. Writes docs/zoo_speed.md and .json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from process_tree import Run, run_measured

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.zoo import make_checkpoint, save_photo_crops

NETWORKS = (
    "alexnet",
    "densenet121",
    "densenet169",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_v2_s",
    "googlenet",
    "inception_v3",
    "mnasnet0_5",
    "mnasnet0_75",
    "mnasnet1_0",
    "mnasnet1_3",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "regnet_x_400mf",
    "regnet_x_800mf",
    "regnet_y_400mf",
    "regnet_y_800mf",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnext50_32x4d",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
    "squeezenet1_0",
    "squeezenet1_1",
    "vgg11",
)

POLL_S = 3.0

MANIFEST = """\
[zoo]
name = "speed"

[defaults]
calibration = "photos"
memory = "{memory}"
timeout = "15 min"

[[model]]
source = "checkpoints/*.pth"
"""


@dataclass(frozen=True)
class Measured:
    """Both ways, the zoo once more with nothing to do, and the networks whose files differ between the two ways."""

    zoo: Run
    again: Run
    alone: dict[str, Run]
    differing: list[str]
    cap: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/zoo_speed"))
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--memory", default="5 GiB", help="limit of one job")
    parser.add_argument("--cap", default="16 GiB", help="limit of all jobs together")
    parser.add_argument("--docs", type=Path, default=Path("docs/zoo_speed"))
    options = parser.parse_args()
    folder: Path = options.folder.absolute()
    prepare(folder, options.networks, options.memory)

    print(f"a zoo of {len(options.networks)} …", flush=True)
    shutil.rmtree(folder / "zoo", ignore_errors=True)
    zoo_command = [sys.executable, "-m", "convert", "zoo", str(folder / "zoo.toml")]
    zoo_command += ["-o", str(folder / "zoo"), "--memory", options.cap]
    zoo = run_measured(zoo_command, folder / "zoo.log", poll_s=POLL_S)
    print(f"{zoo.seconds:.1f} s, exit {zoo.exit_code}, {zoo.peak_pss_bytes / 2**30:.1f} GiB", flush=True)
    again = run_measured(zoo_command, folder / "again.log", poll_s=POLL_S)
    print(f"again, unchanged: {again.seconds:.2f} s", flush=True)

    alone = []
    for name in options.networks:
        alone.append(one(folder, name))
        print(f"{name:<24}{alone[-1].seconds:7.1f} s", flush=True)
    differing = [name for name in options.networks if not same_files(folder, name)]
    measured = Measured(zoo, again, dict(zip(options.networks, alone, strict=True)), differing, options.cap)
    write_results(measured, options.docs)
    return 0


def prepare(folder: Path, networks: list[str], memory: str) -> None:
    """Checkpoints, photographs to calibrate on, and the manifest."""
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    for stale in (folder / "checkpoints").glob("*.pth"):
        if stale.stem not in networks:
            stale.unlink()
    for name in networks:
        if not (folder / "checkpoints" / f"{name}.pth").exists():
            make_checkpoint(name, folder / "checkpoints")
    if not (folder / "photos").exists():
        save_photo_crops(folder / "photos", 48, 224)
    (folder / "zoo.toml").write_text(MANIFEST.format(memory=memory))


def one(folder: Path, name: str) -> Run:
    """The plain command on one model."""
    output = folder / "alone" / name
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, "-m", "convert", "pth2tflite", str(folder / "checkpoints" / f"{name}.pth")]
    command += ["--calib", str(folder / "photos"), "--output", str(output), "--quiet"]
    return run_measured(command, folder / "alone.log", poll_s=POLL_S)


def same_files(folder: Path, name: str) -> bool:
    """Whether the zoo made the very bytes that the plain command makes."""
    alone = folder / "alone" / name
    files = [path for suffix in ("*.tflite", "*.onnx", "*.recipe.json") for path in alone.glob(suffix)]
    in_zoo = folder / "zoo" / "models" / name
    return bool(files) and all(
        (in_zoo / path.name).is_file() and (in_zoo / path.name).read_bytes() == path.read_bytes() for path in files
    )


def write_results(measured: Measured, docs: Path) -> None:
    docs.with_suffix(".json").write_text(json.dumps(asdict(measured), indent=1) + "\n")
    zoo, again, alone = measured.zoo, measured.again, measured.alone
    total = sum(run.seconds for run in alone.values())
    cpu = sum(run.cpu_seconds for run in alone.values())
    peak_alone = max(run.peak_pss_bytes for run in alone.values())
    rows = (
        ("`convert pth2tflite`, one after the other", total, cpu, peak_alone),
        (f"`convert zoo` (cap {measured.cap})", zoo.seconds, zoo.cpu_seconds, zoo.peak_pss_bytes),
        ("the same again, unchanged", again.seconds, again.cpu_seconds, again.peak_pss_bytes),
    )
    lines = [
        "# A zoo against one command after the other",
        "",
        f"{len(alone)} torchvision networks, 48 photographs to calibrate on, all six files and all parity of each; two",
        "cores. Made by `python benchmarks/zoo_speed.py`.",
        "",
        "| | wall, s | CPU, s | peak memory, GiB |",
        "|---|--:|--:|--:|",
        *(f"| {what} | {wall:.1f} | {used:.0f} | {peak / 2**30:.1f} |" for what, wall, used, peak in rows),
        "",
        f"The zoo takes **{zoo.seconds / total:.2f}×** the time. Memory is the proportional set size of the whole",
        "process tree, sampled.",
        "",
        "Files (ONNX, TFLite, recipe) that differ in a byte from the plain command's: "
        + (", ".join(measured.differing) or "none")
        + ".",
        "",
    ]
    docs.with_suffix(".md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
