"""A pickle interpreter that cannot execute anything: it imports no module and calls no name that the file gives.

A global becomes a :class:`Global` (two strings), a call becomes an :class:`Opaque` (what would have been called, with
what) unless it is one of the *rebuilders* handed in, which are our own functions from inert data to inert data. So it
reads any pickle, hostile or not, and says what the file refers to. Opcodes are decoded by the standard library's
``pickletools``; their meaning is in its documentation strings.
"""

from __future__ import annotations

import copyreg
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Protocol, runtime_checkable


class MalformedPickleError(Exception):
    """The stream is no pickle, is cut short, or breaks the pickle machine's rules."""


@dataclass(frozen=True)
class Global:
    """A name the file refers to. Never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Opaque:
    """An object that only running the file's code would make: what would be called, and with what."""

    maker: str
    arguments: object = ()
    state: object = None
    items: list[object] = field(default_factory=list)
    entries: dict[object, object] = field(default_factory=dict)


@runtime_checkable
class Buildable(Protocol):
    """An inert value that takes its contents from the file's BUILD, as a numpy array does."""

    def build(self, state: object) -> None: ...


Rebuilder = Callable[..., object]
"""Our own stand-in for a callable that the file names: inert arguments in, inert value out."""


@dataclass(frozen=True)
class InertPickle:
    """What one pickle stream describes, and every name it refers to, in order of appearance."""

    root: object
    names: tuple[str, ...]
    called: tuple[str, ...]
    """Names that loading would call and that no rebuilder stands in for."""


class _Mark:
    pass


_MARK = _Mark()

_CONSTANTS: dict[str, object] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NUMBER_OPCODES = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
_TEXT_OPCODES = {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
_BYTES_OPCODES = {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
_VALUE_OPCODES = _NUMBER_OPCODES | _TEXT_OPCODES | _BYTES_OPCODES
_IGNORED_OPCODES = frozenset({"PROTO", "FRAME", "READONLY_BUFFER"})
_GET_OPCODES = frozenset({"GET", "BINGET", "LONG_BINGET"})
_PUT_OPCODES = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_EXTENSION_OPCODES = frozenset({"EXT1", "EXT2", "EXT4"})


def read_pickle(
    stream: IO[bytes] | bytes,
    rebuilders: Mapping[str, Rebuilder] | None = None,
    persistent: Callable[[object], object] | None = None,
) -> InertPickle:
    """Interpret one pickle, up to its STOP; ``stream`` stands right after it then.

    ``rebuilders`` are keyed by ``module.name``; ``persistent`` turns a persistent id into an inert value. Raises
    :class:`MalformedPickleError`.
    """
    machine = _Machine(rebuilders or {}, persistent)
    try:
        for opcode, argument, _position in pickletools.genops(stream):
            machine.step(opcode.name, argument)
    except MalformedPickleError:
        raise
    except (ValueError, TypeError, LookupError, OverflowError, EOFError, MemoryError, RecursionError) as error:
        raise MalformedPickleError(str(error) or type(error).__name__) from error
    return machine.result()


class _Machine:
    def __init__(self, rebuilders: Mapping[str, Rebuilder], persistent: Callable[[object], object] | None) -> None:
        self._rebuilders = rebuilders
        self._persistent = persistent
        self._stack: list[Any] = []
        self._memo: dict[int, object] = {}
        self._names: dict[str, None] = {}
        self._called: dict[str, None] = {}
        self._finished = False

    def result(self) -> InertPickle:
        if not self._finished or len(self._stack) != 1:
            raise MalformedPickleError("the pickle ends without a result")
        return InertPickle(self._stack[0], tuple(self._names), tuple(self._called))

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _VALUE_OPCODES:
            self._stack.append(bytes(argument) if opcode == "BYTEARRAY8" else argument)
        elif opcode in _PUT_OPCODES:
            self._memo[argument] = self._top()
        elif opcode in _GET_OPCODES:
            self._stack.append(self._memo[argument])
        elif opcode in _CONSTANTS:
            self._stack.append(_CONSTANTS[opcode])
        elif opcode in _EXTENSION_OPCODES:
            self._push_extension(argument)
        elif opcode not in _IGNORED_OPCODES:
            handler = getattr(self, f"_op_{opcode.lower()}", None)
            if handler is None:
                raise MalformedPickleError(f"opcode {opcode} is not one that model files use")
            handler(argument)

    def _top(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise MalformedPickleError("the stack is empty where a value is needed")
        return self._stack[-1]

    def _pop(self) -> Any:
        value = self._top()
        self._stack.pop()
        return value

    def _pop_to_mark(self) -> list[Any]:
        for index in range(len(self._stack) - 1, -1, -1):
            if self._stack[index] is _MARK:
                values = self._stack[index + 1 :]
                del self._stack[index:]
                return values
        raise MalformedPickleError("a MARK is missing")

    # Containers. A key that is not plain data is replaced by an object of its own: hashing what a file describes can
    # be made to take for ever, or to overflow the stack.

    def _op_mark(self, _: object) -> None:
        self._stack.append(_MARK)

    def _op_pop(self, _: object) -> None:
        if not self._stack:
            raise MalformedPickleError("POP on an empty stack")
        self._stack.pop()

    def _op_pop_mark(self, _: object) -> None:
        self._pop_to_mark()

    def _op_dup(self, _: object) -> None:
        self._stack.append(self._top())

    def _op_empty_list(self, _: object) -> None:
        self._stack.append([])

    def _op_empty_dict(self, _: object) -> None:
        self._stack.append({})

    def _op_empty_tuple(self, _: object) -> None:
        self._stack.append(())

    def _op_empty_set(self, _: object) -> None:
        self._stack.append([])

    def _op_list(self, _: object) -> None:
        self._stack.append(self._pop_to_mark())

    def _op_tuple(self, _: object) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def _op_frozenset(self, _: object) -> None:
        self._stack.append(self._pop_to_mark())

    def _op_dict(self, _: object) -> None:
        values = self._pop_to_mark()
        self._stack.append({})
        self._set_items(values)

    def _op_tuple1(self, _: object) -> None:
        self._stack.append((self._pop(),))

    def _op_tuple2(self, _: object) -> None:
        second, first = self._pop(), self._pop()
        self._stack.append((first, second))

    def _op_tuple3(self, _: object) -> None:
        third, second, first = self._pop(), self._pop(), self._pop()
        self._stack.append((first, second, third))

    def _op_append(self, _: object) -> None:
        self._extend([self._pop()])

    def _op_appends(self, _: object) -> None:
        self._extend(self._pop_to_mark())

    def _op_additems(self, _: object) -> None:
        self._extend(self._pop_to_mark())

    def _op_setitem(self, _: object) -> None:
        value, key = self._pop(), self._pop()
        self._set_items([key, value])

    def _op_setitems(self, _: object) -> None:
        self._set_items(self._pop_to_mark())

    def _extend(self, values: list[Any]) -> None:
        target = self._top()
        if isinstance(target, list):
            target.extend(values)
        elif isinstance(target, Opaque):
            target.items.extend(values)
        else:
            raise MalformedPickleError(f"cannot append to a {type(target).__name__}")

    def _set_items(self, values: list[Any]) -> None:
        target = self._top()
        entries = target.entries if isinstance(target, Opaque) else target
        if not isinstance(entries, dict) or len(values) % 2:
            raise MalformedPickleError(f"cannot set items of a {type(target).__name__}")
        for key, value in zip(values[::2], values[1::2], strict=True):
            plain = key is None or isinstance(key, (str, bytes, int, float))
            entries[key if plain else Opaque("key", key)] = value

    # Memo, globals and calls.

    def _op_memoize(self, _: object) -> None:
        self._memo[len(self._memo)] = self._top()

    def _op_global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._push_global(module, name)

    def _op_stack_global(self, _: object) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise MalformedPickleError("STACK_GLOBAL needs two strings")
        self._push_global(module, name)

    def _push_global(self, module: str, name: str) -> None:
        reference = Global(module, name)
        self._names[str(reference)] = None
        self._stack.append(reference)

    def _push_extension(self, code: int) -> None:
        registered: dict[int, tuple[str, str]] = copyreg._inverted_registry  # type: ignore[attr-defined]
        module, name = registered.get(code, ("copyreg", f"extension {code}"))
        self._push_global(module, name)

    def _op_persid(self, argument: str) -> None:
        self._push_persistent(argument)

    def _op_binpersid(self, _: object) -> None:
        self._push_persistent(self._pop())

    def _push_persistent(self, identifier: object) -> None:
        value = self._persistent(identifier) if self._persistent else Opaque("persistent id", identifier)
        self._stack.append(value)

    def _op_next_buffer(self, _: object) -> None:
        self._stack.append(Opaque("out-of-band buffer"))

    def _op_reduce(self, _: object) -> None:
        arguments, maker = self._pop(), self._pop()
        self._call(maker, arguments)

    def _op_newobj(self, _: object) -> None:
        arguments, maker = self._pop(), self._pop()
        self._call(maker, arguments)

    def _op_newobj_ex(self, _: object) -> None:
        keywords, arguments, maker = self._pop(), self._pop(), self._pop()
        self._call(maker, (arguments, keywords))

    def _op_inst(self, argument: str) -> None:
        values = tuple(self._pop_to_mark())
        self._op_global(argument)
        self._call(self._pop(), values)

    def _op_obj(self, _: object) -> None:
        values = self._pop_to_mark()
        if not values:
            raise MalformedPickleError("OBJ without a class")
        self._call(values[0], tuple(values[1:]))

    def _call(self, maker: object, arguments: object) -> None:
        name = str(maker) if isinstance(maker, Global) else _name_of_value(maker)
        rebuilder = self._rebuilders.get(name) if isinstance(maker, Global) else None
        if rebuilder is not None and isinstance(arguments, tuple):
            self._stack.append(rebuilder(*arguments))
            return
        self._called[name] = None
        self._stack.append(Opaque(name, arguments))

    def _op_build(self, _: object) -> None:
        state = self._pop()
        target = self._top()
        if isinstance(target, Opaque):
            target.state = state
        elif isinstance(target, Buildable):
            target.build(state)
        elif isinstance(target, Global):
            self._called[f"{target} (its attributes set)"] = None

    def _op_stop(self, _: object) -> None:
        self._finished = True


def _name_of_value(value: object) -> str:
    return f"what {value.maker} returns" if isinstance(value, Opaque) else f"a {type(value).__name__}"
