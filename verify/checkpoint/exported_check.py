"""Whether loading an exported program (.pt2) could run code, decided from its bytes alone.

``torch.export.load`` is not made for untrusted files: it unpickles whatever members ask for it, loads compiled
libraries, evaluates symbolic sizes as Python expressions and generates Python from the graph. So every member has to be
of a known harmless kind, and every string in the graph a plain name, unless it stands where only a person reads it.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from verify.checkpoint.inert_pickle import MalformedPickleError, read_pickle
from verify.checkpoint.tensors import STORAGE_DTYPES, TORCH_REBUILDERS, storage_from_persistent_id

_MEMBERS = re.compile(
    r"(archive_format|archive_version|byteorder|\.data/\w+|\.format_version|\.storage_alignment|models/\w+\.json"
    r"|data/weights/(weight_\d+|\w+_weights_config\.json)|data/constants/(tensor_\d+|\w+_constants_config\.json)"
    r"|data/sample_inputs/\w+\.pt)"
)
_PLAIN = re.compile(r"[\w.\-+]*")
_IDENTIFIER_KEYS = frozenset({"name", "forward_arg_names"})
_FREE_TEXT_KEYS = frozenset(
    {
        "stack_trace",
        "nn_module_stack",
        "torch_fn",
        "torch_version",
        "custom",
        "from_node",
        "as_string",
        "source_fn_stack",
    }
)
_EXPRESSION_KEYS = frozenset({"expr_str", "guards_code"})
_TREE_KEYS = frozenset({"in_spec", "out_spec"})
_TARGET = re.compile(
    r"torch\.ops\.(aten|prims|prim)\.\w+(\.\w+)?|torch\.ops\.torchvision\.(nms|roi_align|deform_conv2d)(\.\w+)?"
    r"|torch\.ops\.higher_order\.(cond|wrap_with_set_grad_enabled)"
    r"|torch\.sym_(int|float|ite|max|min|not|sqrt|sum)|math\.(ceil|floor|sqrt|trunc)"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|pow|neg|getitem|lt|le|gt|ge|eq|ne|and_|or_|not_)"
)
_FILE_OPERATORS = re.compile(r"\.(from_file|_?save|_?load)\b")
_TREE_TYPES = frozenset({None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"})
_FUNCTIONS = frozenset(
    {
        "Symbol", "Integer", "Rational", "Float", "Add", "Mul", "Pow", "Max", "Min", "Mod", "PythonMod", "FloorDiv",
        "CleanDiv", "CeilDiv", "CeilToInt", "FloorToInt", "IntTrueDiv", "FloatTrueDiv", "ToFloat", "TruncToInt", "Eq",
        "Ne", "Equality", "Unequality", "LessThan", "StrictLessThan", "GreaterThan", "StrictGreaterThan", "And", "Or",
        "Not", "Identity", "Abs",
    }
)  # fmt: skip
_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Constant, ast.Load, ast.operator, ast.unaryop,
    ast.boolop, ast.cmpop, ast.keyword, ast.Tuple, ast.Index,
)  # fmt: skip
_LARGEST_JSON_BYTES = 256 * 2**20


def suspicions(path: Path) -> tuple[str, ...]:
    """Why loading the file might run code; empty if it cannot."""
    found: dict[str, None] = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = info.filename.partition("/")[2]
            if not _MEMBERS.fullmatch(name):
                found[f"the member {info.filename[:80]}"] = None
            elif info.filename.endswith(".json"):
                found.update(dict.fromkeys(_in_json(archive, info)))
            elif info.filename.endswith(".pt"):
                found.update(dict.fromkeys(_in_sample_inputs(archive.read(info))))
    return tuple(found)


def _in_json(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[str]:
    if info.file_size > _LARGEST_JSON_BYTES:
        yield f"{info.filename}, too large to check"
        return
    try:
        data = json.loads(archive.read(info))
        if info.filename.endswith("_config.json"):
            yield from _in_payloads(data)
        yield from _in_value("", data)
    except (ValueError, RecursionError) as error:
        yield f"{info.filename}, which is no JSON ({type(error).__name__})"


def _in_payloads(data: object) -> Iterator[str]:
    entries = data.get("config") if isinstance(data, dict) else None
    if not isinstance(entries, dict):
        yield "a list of tensors that cannot be read"
        return
    for name, entry in entries.items():
        if not isinstance(entry, dict) or entry.get("use_pickle") is not False:
            yield f"a pickled object in place of the tensor {name[:60]}"
        elif not re.fullmatch(r"(weight|tensor)_\d+", str(entry.get("path_name"))):
            yield f"the object {str(entry.get('path_name'))[:60]}"


def _in_value(key: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner_key, inner in value.items():
            if not _PLAIN.fullmatch(inner_key):
                yield f"the key {inner_key[:60]!r}"
            yield from _in_value(inner_key, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _in_value(key, inner)
    elif isinstance(value, str):
        yield from _in_text(key, value)


def _in_text(key: str, text: str) -> Iterator[str]:
    if key in _FREE_TEXT_KEYS:
        return
    if key in _EXPRESSION_KEYS:
        if not _is_arithmetic(text):
            yield f"the expression {text[:80]!r}"
    elif key in _TREE_KEYS:
        yield from _in_tree(text)
    elif key == "target":
        if not (_TARGET.fullmatch(text) or text.isidentifier()) or _FILE_OPERATORS.search(text):
            yield f"a call of {text[:80]}"
    elif not _PLAIN.fullmatch(text) or (key in _IDENTIFIER_KEYS and text and not text.isidentifier()):
        yield f"the name {text[:80]!r}"


def _in_tree(text: str) -> Iterator[str]:
    """A pytree specification: JSON again, whose types may name classes to import."""
    pending: list[object] = [json.loads(text)] if text else []
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(node)
        elif isinstance(node, dict):
            if node.get("type") not in _TREE_TYPES:
                yield f"the container {str(node.get('type'))[:80]}"
            pending.extend(value for key, value in node.items() if key == "children_spec")


def _is_arithmetic(text: str) -> bool:
    """Whether a symbolic size or a guard is arithmetic on symbols and nothing else."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return all(_is_harmless(node) for node in ast.walk(tree))


def _is_harmless(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name | ast.Attribute) and _is_known_function(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr in ("size", "shape", "ndim")
    if isinstance(node, ast.Name):
        return node.id in _FUNCTIONS or node.id == "L" or re.fullmatch(r"[a-z]{1,4}\d+", node.id) is not None
    if isinstance(node, ast.Constant):
        plain = isinstance(node.value, bool | int | float) or node.value is None
        return plain or (isinstance(node.value, str) and _PLAIN.fullmatch(node.value) is not None)
    return isinstance(node, (*_NODES, ast.Subscript))


def _is_known_function(function: ast.Name | ast.Attribute) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr == "size"
    return function.id in _FUNCTIONS


def _in_sample_inputs(data: bytes) -> Iterator[str]:
    """Sample inputs are a torch.save file of their own: only tensors and plain containers may be in it."""
    if not data:
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as inner:
            names = [info.filename for info in inner.infolist()]
            if len({name.casefold() for name in names}) != len(names):
                yield "sample inputs with two members of one name"
                return
            pickles = [name for name in names if name.endswith(".pkl")]
            for name in pickles:
                found = read_pickle(inner.read(name), TORCH_REBUILDERS, storage_from_persistent_id)
                for reference in found.names:
                    if not _is_tensor_name(reference):
                        yield f"{reference} in its sample inputs"
    except (zipfile.BadZipFile, MalformedPickleError, NotImplementedError, RuntimeError) as error:
        yield f"sample inputs that cannot be read ({error})"


def _is_tensor_name(name: str) -> bool:
    module, _, last = name.rpartition(".")
    return name in TORCH_REBUILDERS or (module in ("torch", "torch.storage") and last in STORAGE_DTYPES)
