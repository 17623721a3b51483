"""Integer arrays out of pickles, without running what a pickle asks for.

Nothing of numpy is handed to the unpickler. The names that a pickled array needs stand for inert notes of what they are
called with; the array is then built here from the notes, once they make sense. Before that, the opcodes are counted and
held against a list, so that a small file can neither ask for much memory nor keep the reader busy.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..quoting import shown

__all__ = ["load_integers"]

MAX_OPCODES = 1000  # an array takes about 60
# fmt: off
OPCODES = {
    "PROTO", "FRAME", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG",
    "LONG1", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "STRING", "BINSTRING", "SHORT_BINSTRING",
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
    "BYTEARRAY8", "PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET", "MEMOIZE", "GLOBAL",
    "STACK_GLOBAL", "REDUCE", "BUILD"
}
# fmt: on
# Text of what an opcode of these would make, for the message that refuses it.
MEANINGS = {
    **dict.fromkeys(("EMPTY_LIST", "LIST"), "a list, as an array of Python objects does"),
    **dict.fromkeys(("EMPTY_DICT", "DICT"), "a dictionary"),
    **dict.fromkeys(("NEWOBJ", "NEWOBJ_EX", "INST", "OBJ"), "an object of a class"),
}


def load_integers(content: bytes) -> NDArray[np.integer[Any]]:
    """Rebuild the one integer array that a pickle of protocol 0 to 5 holds, of Python 2 or 3 and numpy 1 or 2.

    Admitted are ``numpy.ndarray``, ``numpy.dtype``, ``_reconstruct``, ``_frombuffer`` and ``_codecs.encode``, each only
    with the arguments that numpy itself writes. Memory stays within a few times the length of ``content``.

    Args:
        content: the whole pickle.

    Returns:
        A read-only view of the pickled bytes.

    Raises:
        pickle.UnpicklingError: the pickle asks for anything else, is damaged, or holds no integer array.

    Example:
        >>> import pickle
        >>> load_integers(pickle.dumps(np.arange(3, dtype=np.int16)))
        array([0, 1, 2], dtype=int16)
        >>> load_integers(b"cos\\nsystem\\n(S'echo pwned'\\ntR.")
        Traceback (most recent call last):
        ...
        _pickle.UnpicklingError: it asks for os.system, which no array of integers needs
    """
    _check_opcodes(content)
    try:
        found = _Unpickler(io.BytesIO(content), encoding="latin1").load()
        return _array(found)
    except (pickle.UnpicklingError, MemoryError):
        raise
    except Exception as error:  # on damaged bytes the unpickler raises a dozen unrelated types
        raise pickle.UnpicklingError(f"it is damaged ({type(error).__name__})") from error


def _check_opcodes(content: bytes) -> None:
    opcodes = _within_frames(pickletools.genops(content))
    for count in range(MAX_OPCODES + 1):
        try:
            opcode, argument = next(opcodes)
        except StopIteration:
            return
        except pickle.UnpicklingError:
            raise
        except Exception as error:
            raise pickle.UnpicklingError("it is truncated or damaged, or no pickle at all") from error
        if opcode.name in ("GLOBAL", "INST") and (name := str(argument).replace(" ", ".", 1)) not in _ADMITTED:
            _refuse_name(name)
        if opcode.name not in OPCODES:
            _refuse(f"it makes {MEANINGS.get(opcode.name, f'use of {opcode.name}')}, which no array of integers needs")
        # The unpickler's memo is an array as long as its largest index: one opcode could ask for gigabytes.
        if opcode.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > count:
            _refuse(f"it numbers an object {argument} when it can have made {count} at most")
    _refuse(f"it has more than {MAX_OPCODES} opcodes, where an array takes about 60")


def _within_frames(
    opcodes: Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]],
) -> Iterator[tuple[pickletools.OpcodeInfo, Any]]:
    # An object that reaches beyond its frame makes CPython's unpickler fail in ways of its own, seen as MemoryError.
    end: int | None = None
    position = 0
    for opcode, argument, start in opcodes:
        position = start or 0
        if end is not None and position > end:
            _refuse("an object of it reaches beyond its frame")
        end = None if position == end else end
        if opcode.name == "FRAME":
            if end is not None:
                _refuse("it has a frame in a frame")
            end = position + 9 + int(argument)
        yield opcode, argument
    if end not in (None, position + 1):
        _refuse("its last frame is incomplete")


def _refuse(reason: str) -> NoReturn:
    raise pickle.UnpicklingError(reason)


def _refuse_name(name: str) -> NoReturn:
    _refuse(f"it asks for {shown(name)}, which no array of integers needs")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _ADMITTED:
            _refuse_name(f"{module}.{name}")
        return _ADMITTED[f"{module}.{name}"]


class _Name:
    """An admitted name: a call of it is noted, and nothing else can be done with it."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *arguments: Any) -> _Call | bytes:
        if self.name != "encode":
            return _Call(self.name, arguments)
        match arguments:
            case (str(text), "latin1" | "latin-1"):
                return text.encode("latin1")
        _refuse("it encodes something else than an array's bytes")

    def __setstate__(self, state: object) -> None:
        _refuse("it alters a function")  # BUILD would otherwise set attributes here, for every later file


class _Call:
    """What a name is called with, and the state that the result is given."""

    __slots__ = ("arguments", "name", "state")

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name, self.arguments, self.state = name, arguments, None

    def __setstate__(self, state: Any) -> None:
        if self.state is not None:
            _refuse("its array is not described as numpy does it")
        self.state = state


_NDARRAY = _Name("ndarray")
_ADMITTED = {"numpy.ndarray": _NDARRAY, "numpy.dtype": _Name("dtype"), "_codecs.encode": _Name("encode")}
for _core in ("numpy.core", "numpy._core"):
    _ADMITTED[f"{_core}.multiarray._reconstruct"] = _Name("_reconstruct")
    _ADMITTED[f"{_core}.numeric._frombuffer"] = _Name("_frombuffer")


def _array(found: object) -> NDArray[np.integer[Any]]:
    """The array that the notes describe, as either of numpy's two ways."""
    match found:
        case _Call(name="_reconstruct", arguments=(one, (0,), b"b" | "b"), state=(_, shape, kind, fortran, content)):
            if one is not _NDARRAY:
                _refuse("it rebuilds something else than a plain array")
            return _ordered(content, kind, shape, "F" if fortran is True or fortran == 1 else "C")
        case _Call(name="_frombuffer", arguments=(content, kind, shape, "C" | "F" as order, *_), state=None):
            return _ordered(content, kind, shape, order)
        case _Call(name="_frombuffer", arguments=(content, kind, shape, "K", tuple(axes)), state=None):
            array = _ordered(content, kind, shape, "C")
            if not _are_counts(axes) or sorted(axes) != [*range(array.ndim)]:
                _refuse("its axes are in no order")
            return array.transpose(axes)
        case _Call():
            _refuse("its array is not described as numpy does it")
    _refuse("it holds something else than an array")


def _ordered(content: Any, kind: object, shape: Any, order: Any) -> NDArray[np.integer[Any]]:
    dtype = _integer_type(kind)
    if isinstance(content, str):  # Python 2 had one type for bytes and text
        content = content.encode("latin1")
    if not isinstance(content, bytes | bytearray):
        _refuse("its array is not described as numpy does it")
    if not isinstance(shape, tuple) or len(shape) > 8 or not _are_counts(shape):
        _refuse("its array has no valid shape")
    if math.prod(shape) * dtype.itemsize != len(content):
        written = str(tuple(n if n < 10**12 else float("inf") for n in shape))
        _refuse(f"its array of shape {written} and type {dtype} does not fit its {len(content)} bytes")
    return np.frombuffer(bytes(content), dtype=dtype).reshape(shape, order=order)


def _are_counts(numbers: tuple[Any, ...]) -> bool:
    return all(type(number) is int and number >= 0 for number in numbers)


def _integer_type(kind: object) -> np.dtype[np.integer[Any]]:
    """Type ``i2`` and the like, with the byte order of its state."""
    match kind:
        case _Call(name="dtype", arguments=(str(code), *_)) if re.fullmatch(r"[<>|=]?[iu][1248]", code):
            match kind.state:
                case None:
                    return np.dtype(code)
                case (_, "<" | ">" | "|" | "=" as order, None, None, None, _, _, _):
                    return np.dtype(order + code.lstrip("<>|="))
            _refuse("its type is not that of an array of integers")
        case _Call(name="dtype", arguments=(code, *_)):
            what = "Python objects" if code in ("O", "O8", "O4", "|O") else "something else"
            _refuse(f"it holds an array of {what}, not of integers")
    _refuse("its array is not described as numpy does it")
