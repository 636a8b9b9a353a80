"""What an inert pickle would have executed, in words; and which names no checkpoint has an honest use for.

Nothing here keeps anybody safe: that is done by never calling what a file names. It decides whether objects
beside the weights are left out with a note or the file is refused.
"""

from __future__ import annotations

from pathlib import Path

from verify.checkpoint.contents import Contents
from verify.errors import UnsafeCheckpoint

_SHOWN_NAMES = 12
_LONGEST_NAME = 160

_HOSTILE_MODULES = frozenset(
    {
        "asyncio", "bdb", "cProfile", "code", "commands", "concurrent", "cffi", "ctypes", "distutils",
        "doctest", "ensurepip", "fileinput", "ftplib", "functools", "gc", "glob", "http", "idlelib", "imaplib",
        "importlib", "inspect", "io", "linecache", "lib2to3", "marshal", "multiprocessing", "nt", "ntpath",
        "operator", "os", "pdb", "pickle", "_pickle", "pip", "pkgutil", "platform", "poplib", "posix",
        "posixpath", "profile", "pty", "py_compile", "pydoc", "requests", "runpy", "select", "setuptools",
        "shelve", "shutil", "signal", "site", "smtplib", "socket", "ssl", "subprocess", "sys", "sysconfig",
        "tempfile", "threading", "timeit", "trace", "types", "urllib", "urllib2", "venv", "webbrowser",
        "xmlrpc", "zipfile", "zipimport", "_io", "_posixsubprocess", "_thread", "aiohttp", "httplib",
    }
)  # fmt: skip
_HOSTILE_BUILTINS = frozenset(
    {
        "eval", "exec", "execfile", "compile", "open", "file", "input", "getattr", "setattr", "delattr",
        "hasattr", "vars", "globals", "locals", "__import__", "apply", "breakpoint", "map", "filter", "reduce",
        "memoryview", "type", "super", "property", "classmethod", "staticmethod", "help", "exit", "quit", "dir",
        "id",
    }
)  # fmt: skip
_HOSTILE_TORCH = (
    "torch.load", "torch.save", "torch.hub", "torch.jit", "torch.package", "torch.serialization.load", "torch.ops",
    "torch.utils", "torch._dynamo", "torch._inductor", "torch.distributed", "torch.multiprocessing", "torch.export",
    "torch.fx", "torch.storage._load_from_bytes", "torch.classes", "torch.os", "torch.sys", "torch._C",
    "torch.compile", "torch.library", "logging.config",
    "torch._utils._import", "torch.testing",
)  # fmt: skip
_HOSTILE_NUMPY = ("numpy.load", "numpy.testing", "numpy.f2py", "numpy.distutils", "numpy.fromfile", "numpy.save")
_HARMLESS = frozenset({"functools.partial", "types.SimpleNamespace"})


def is_hostile(name: str) -> bool:
    """Whether a name (``os.system``) has no honest place in a file of weights."""
    plain = name.removesuffix(" (its attributes set)")
    if plain in _HARMLESS:
        return False
    module, _, last = plain.rpartition(".")
    if module in ("builtins", "__builtin__"):
        return last in _HOSTILE_BUILTINS
    if plain.startswith((*_HOSTILE_TORCH, *_HOSTILE_NUMPY)):
        return True
    return module.split(".")[0] in _HOSTILE_MODULES or module == "copyreg" or plain.startswith("what ")


def hostile_names(contents: Contents) -> tuple[str, ...]:
    """Names in the file, in order, that look like an attack."""
    everything = (*contents.pickle.names, *contents.other_names)
    return tuple(dict.fromkeys(name for name in everything if is_hostile(name)))


def refuse_hostile(contents: Contents) -> None:
    """Raise ``UnsafeCheckpoint`` if the file names what only an attack would."""
    hostile = hostile_names(contents)
    if hostile:
        raise UnsafeCheckpoint(
            f"{contents.path} is a {contents.container} that would run code when it is loaded: it refers to "
            f"{listed(hostile)}. Nothing of it was run",
            fix="do not load it anywhere, unless you made it yourself and know why it does this; "
            "then --trust-pickle loads it, or re-save its weights as a state_dict: "
            f"{resave_command(contents.path)}",
        )


def pickled_module_error(contents: Contents) -> UnsafeCheckpoint:
    """The error for a file whose object can only be had by running code that it names."""
    called = contents.pickle.called or contents.pickle.names
    return UnsafeCheckpoint(
        f"{contents.path} holds a whole pickled object, not a state_dict: loading it would import and call "
        f"{listed(called)}. Nothing of it was run",
        fix="if you trust where it comes from, add --trust-pickle; better, re-save it once as a state_dict: "
        f"{resave_command(contents.path)}",
    )


def listed(names: tuple[str, ...]) -> str:
    """The first names, and how many more there are; nothing that a terminal would obey."""
    shown = ", ".join(printable(name) for name in names[:_SHOWN_NAMES])
    rest = len(names) - _SHOWN_NAMES
    return f"{shown} and {rest} more" if rest > 0 else shown


def printable(text: str) -> str:
    """Text from a file, fit for a terminal: no control characters, and not endless."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST_NAME])


def resave_command(path: Path) -> str:
    """A line of Python that turns a pickled module into a state_dict."""
    target = f"{path.stem}_state{path.suffix}"
    return f"torch.save(torch.load({path.name!r}, weights_only=False).state_dict(), {target!r})"
