"""Train eleven nets of different kinds on handwritten digits, to quantize: checkpoints and data.

    python examples/int8/train.py [NET …] [--folder build/int8]

Each is trained on digits that it is neither calibrated nor judged on. What it makes: NET.pth; and for each task
TASK_calibration.npz (``image``), TASK_evaluation.npz (``image``, ``truth``), and TASK_search.npz for an accuracy budget
to look at. Minutes in all; a net that is there already is kept.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "digits")]

from int8_subjects import SUBJECTS, TASKS, Subject, Task  # noqa: E402
from learning import train  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", metavar="NET", help=", ".join(subject.name for subject in SUBJECTS))
    parser.add_argument("--folder", type=Path, default=Path("build/int8"))
    parser.add_argument("--samples", type=int, help="train on this many only, for one epoch: a trial run")
    options = parser.parse_args()
    wanted = [each for each in SUBJECTS if each.name in options.nets or not options.nets]
    unknown = sorted(set(options.nets) - {each.name for each in wanted})
    if unknown:
        parser.error(f"no such net: {', '.join(unknown)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    for task in TASKS:
        if any(subject.task is task for subject in wanted):
            write_data(options.folder, task)
    for subject in wanted:
        make(subject, options.folder, options.samples)


def write_data(folder: Path, task: Task) -> None:
    np.savez(folder / f"{task.name}_calibration.npz", image=task.data("calibration").image)
    for part in ("evaluation", "search"):
        data = task.data(part)
        np.savez(folder / f"{task.name}_{part}.npz", image=data.image, truth=data.truth)


def make(subject: Subject, folder: Path, samples: int | None) -> None:
    """Train it unless that was done, save what is to be shipped, and say how good it is."""
    path = folder / f"{subject.name}.pth"
    if path.exists():
        print(f"{subject.name:<14} is there", flush=True)
        return
    started = time.perf_counter()
    net = trained(subject, samples)
    partial = path.with_suffix(".partial")
    torch.save(net.state_dict(), partial)
    partial.replace(path)
    score = f"{subject.task.measure.name} {judged(subject, net):.2%}"
    size = sum(parameter.numel() for parameter in net.parameters())
    print(f"{subject.name:<14} {score:<14} {size:>7,} parameters {time.perf_counter() - started:5.0f} s", flush=True)


def trained(subject: Subject, samples: int | None) -> torch.nn.Module:
    """The net as it is shipped, in eval mode."""
    data = subject.task.data("training")
    torch.manual_seed(0)
    net = (subject.trained_as or subject.kind)()
    epochs = 1 if samples else subject.epochs
    train(net, data.image[:samples], data.truth[:samples], subject.task.loss, epochs)
    return (subject.shipped(net) if subject.shipped else net).eval()


def judged(subject: Subject, net: torch.nn.Module) -> float:
    """Its measure on the evaluation part."""
    data, measure = subject.task.data("evaluation"), subject.task.measure
    with torch.inference_mode():
        made = [net(images) for images in torch.from_numpy(data.image).split(100)]
    columns = zip(*((each if isinstance(each, tuple) else (each,)) for each in made), strict=True)
    outputs = dict(zip(subject.task.outputs, (torch.cat(column).numpy() for column in columns), strict=True))
    return measure.of(measure.per_sample(outputs, data.truth))


if __name__ == "__main__":
    main()
