"""Checkpoints of the systems zoo: random weights for classes of ours, as the zoo itself makes them for libraries'."""

from __future__ import annotations

import sys
from pathlib import Path

from convert.zoo.job import SourceKind
from convert.zoo.plan import Zoo
from verify.errors import ToolError
from verify.worker import Worker


def write_checkpoints(zoo: Zoo, log: Path) -> None:
    """Every checkpoint that the zoo names as a file and that is not there yet."""
    wanted = [model.task for model in zoo.models if model.task.source.kind is SourceKind.FILE]
    missing = [task for task in wanted if not (zoo.folder / task.source.location).is_file()]
    if not missing:
        return
    with Worker("torch", log_path=log) as worker:
        for task in missing:
            place, _, name = (task.export.arch or "").rpartition(":")
            target = zoo.folder / task.source.location
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                worker.run(
                    make_checkpoint,
                    arch=f"{zoo.folder / place}:{name}",
                    arch_args=task.export.arch_args,
                    inputs=task.export.inputs,
                    target=target,
                )
            except ToolError as error:  # its job will say that there is no checkpoint
                print(f"{task.stem}: {error.what}", file=sys.stderr)


def make_checkpoint(arch: str, arch_args: tuple[tuple[str, str], ...], inputs: tuple[str, ...], target: Path) -> Path:
    """Job: build a class, fill what starts at zero, settle batch norm on noise, and save its weights."""
    import torch

    from convert.random_weights import fill_zeros, save_state, settle_batch_norm
    from verify.checkpoint.architectures import arguments_of, parse_arch, user_constructor
    from verify.checkpoint.input_specs import parse_input

    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = user_constructor(parse_arch(arch), arguments_of(arch_args))().eval()
    fill_zeros(net)
    settle_batch_norm(net, tuple(map(parse_input, inputs)), seed=0)
    return save_state(net, target)
