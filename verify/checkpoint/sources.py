"""From a file to either a state_dict whose tensors are not read yet, or a whole module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from verify.checkpoint import danger
from verify.checkpoint.contents import Container, Contents
from verify.checkpoint.materialise import Materialised, from_contents, from_safetensors
from verify.checkpoint.opened import ModuleKind
from verify.checkpoint.sniff import read_contents
from verify.checkpoint.torchvision_shim import make_torchvision_importable
from verify.checkpoint.weights import FoundWeights, find_weights, holds_pickled_module, is_ema, spellings
from verify.errors import CheckpointUnreadable, UnsafeCheckpoint
from verify.model import ModelSource
from verify.samples import InputSpec

Shape = tuple[int, ...]
_SHOWN = 6


@dataclass(frozen=True)
class StateDict:
    """Shapes of a state_dict's tensors in each spelling (prefixes of wrappers taken off), and how to read them."""

    spellings: tuple[Mapping[str, Shape], ...]
    originals: tuple[Mapping[str, str], ...]
    """For each spelling: the file's own key of each tensor."""
    read: Callable[[Mapping[str, str]], Materialised]
    notes: tuple[str, ...] = ()

    def original_keys(self, spelling: Mapping[str, Shape], keys: Mapping[str, str]) -> dict[str, str]:
        """``{name: key in that spelling}`` → ``{name: key in the file}``; ``spelling`` is one of ``self.spellings``."""
        original = next(o for s, o in zip(self.spellings, self.originals, strict=True) if s is spelling)
        return {name: original[key] for name, key in keys.items()}

    def materialise(self, keys: Mapping[str, str]) -> Materialised:
        """Read the tensors, ``{name: key in the file}``."""
        return self.read(keys)


@dataclass(frozen=True)
class WholeModule:
    """A module that came out of the file by itself."""

    module: torch.nn.Module
    title: str
    kind: ModuleKind
    spellings: tuple[Mapping[str, Shape], ...]
    inputs: tuple[InputSpec, ...] = ()
    notes: tuple[str, ...] = ()
    program: torch.export.ExportedProgram | None = None


def read_state_dict(source: ModelSource) -> StateDict | WholeModule:
    """What the file holds; raises ``CheckpointUnreadable`` or ``UnsafeCheckpoint``."""
    contents = read_contents(source.path)
    if contents is None:
        return _from_safetensors(source.path)
    if contents.container is Container.EXPORTED:
        from verify.checkpoint.exported import open_exported

        return open_exported(source, contents)
    if contents.container is Container.TORCHSCRIPT:
        from verify.checkpoint.scripted import open_scripted

        return open_scripted(source, contents)
    return _from_pickle(source, contents)


def _from_pickle(source: ModelSource, contents: Contents) -> StateDict | WholeModule:
    if not source.trust_pickle:
        danger.refuse_hostile(contents)
    found = find_weights(contents.pickle.root, prefer_ema=source.prefer_ema)
    if found is not None and not (source.prefer_ema and not is_ema(found.where)):
        return _state_dict(contents, found)
    if holds_pickled_module(contents.pickle.root):
        if source.trust_pickle:
            return load_trusted(source)
        raise danger.pickled_module_error(contents)
    if found is not None:
        raise CheckpointUnreadable(
            f"{source.path} holds no averaged (EMA) copy of its weights, which --prefer-ema asks for",
            fix="leave --prefer-ema away",
        )
    if contents.pickle.called and not isinstance(contents.pickle.root, dict):
        raise danger.pickled_module_error(contents)
    raise CheckpointUnreadable(
        f"{source.path} holds no weights: {_what_is_there(contents.pickle.root)}",
        fix="give a file that has a model's state_dict: torch.save(model.state_dict(), 'model.pth')",
    )


def _what_is_there(root: object) -> str:
    if isinstance(root, dict):
        keys = ", ".join(danger.printable(str(key)) for key in list(root)[:_SHOWN] if isinstance(key, (str, int)))
        return f"it is a dict with {len(root)} entries ({keys or 'nothing'}), none of them tensors with names"
    return f"it is a {type(root).__name__}"


def _state_dict(contents: Contents, found: FoundWeights) -> StateDict:
    _require_printable(contents.path, found.tensors)
    ways = list(spellings(found.tensors))
    originals = tuple({_spelled(key, taken): key for key in found.tensors} for taken, _ in ways)
    notes = list(_notes_on_place(contents, found))
    return StateDict(
        tuple({name: tensor.shape for name, tensor in way.items()} for _, way in ways),
        originals,
        lambda keys: from_contents(contents, {name: found.tensors[key] for name, key in keys.items()}),
        tuple(notes),
    )


def _require_printable(path: Path, names: Iterable[str]) -> None:
    """Names of tensors end up in errors and reports: none may hold what a terminal would obey."""
    bad = next((name for name in names if not name.isprintable()), None)
    if bad is not None:
        raise CheckpointUnreadable(
            f"{path} has a tensor whose name holds control characters: {danger.printable(bad)}",
            fix="save it with the names that torch.nn.Module.state_dict gives",
        )


def _spelled(key: str, taken: str) -> str:
    return key.replace("_orig_mod.", "").removeprefix(taken)


def _notes_on_place(contents: Contents, found: FoundWeights) -> list[str]:
    notes = []
    if found.where:
        notes.append(f"the weights are the checkpoint's {danger.printable(found.where)!r}")
    if contents.container in (Container.LEGACY, Container.LEGACY_TAR, Container.PICKLE):
        notes.append(f"the file is a {contents.container}")
    if contents.pickle.called:
        notes.append(
            f"left out unread: objects that only running code could make ({danger.listed(contents.pickle.called)})"
        )
    return notes


def _from_safetensors(path: Path) -> StateDict:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointUnreadable(
            f"{path} begins like a safetensors file but is truncated or damaged ({error})",
            fix="copy or download it again; its size should be that of the original",
        ) from error
    if not shapes:
        raise CheckpointUnreadable(f"{path} is a safetensors file without tensors", fix="save the model again")
    _require_printable(path, shapes)
    ways = list(spellings(shapes))
    originals = tuple({_spelled(key, taken): key for key in shapes} for taken, _ in ways)
    return StateDict(tuple(way for _, way in ways), originals, lambda keys: from_safetensors(path, keys))


def load_trusted(source: ModelSource) -> WholeModule:
    """Unpickle a whole module, running whatever code the file names. Only for ``--trust-pickle``."""
    make_torchvision_importable()
    try:
        loaded = torch.load(source.path, map_location="cpu", weights_only=False)  # the user vouches for it
    except (ImportError, AttributeError) as error:
        raise CheckpointUnreadable(
            f"{source.path} holds a pickled module whose class cannot be imported here: {error}",
            fix="run where the class can be imported (PYTHONPATH), or re-save it as a state_dict there: "
            f"{danger.resave_command(source.path)}",
        ) from error
    except Exception as error:  # an unpickler that runs foreign code may raise anything
        raise UnsafeCheckpoint(
            f"{source.path} could not be unpickled: {type(error).__name__}: {error}",
            fix=f"re-save it where it was made, as a state_dict: {danger.resave_command(source.path)}",
        ) from error
    module = _module_in(loaded, prefer_ema=source.prefer_ema)
    if module is None:
        raise CheckpointUnreadable(
            f"{source.path} unpickles to a {type(loaded).__name__} without a torch.nn.Module in it",
            fix="give a file that holds a module or a state_dict",
        )
    title = f"pickled {type(module).__module__}.{type(module).__qualname__}"
    return WholeModule(
        module,
        title,
        ModuleKind.EAGER,
        module_spellings(module),
        notes=("the file was unpickled with --trust-pickle: code that it names has run",),
    )


def _module_in(loaded: object, *, prefer_ema: bool) -> torch.nn.Module | None:
    if isinstance(loaded, torch.nn.Module):
        return loaded
    if not isinstance(loaded, dict):
        return None
    modules = {str(key): value for key, value in loaded.items() if isinstance(value, torch.nn.Module)}
    ranked = sorted(modules, key=lambda key: (is_ema(key) != prefer_ema, key != "model"))
    return modules[ranked[0]] if ranked else None


def module_spellings(module: torch.nn.Module) -> tuple[Mapping[str, Shape], ...]:
    """Shapes of a module's state_dict in each spelling, to recognise its architecture by."""
    state = {name: tuple(t.shape) for name, t in module.state_dict().items() if isinstance(t, torch.Tensor)}
    return tuple(way for _, way in spellings(state))
