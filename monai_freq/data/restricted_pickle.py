"""Integer arrays out of pickles, without running what a pickle asks for.

Nothing of numpy is handed to the unpickler. The names that a pickled array needs stand for inert objects that note what
they are called with; the array is then built here from the notes, once they make sense. Before that, the opcodes are
counted and held against a list, so that a small file can neither ask for much memory nor keep the reader busy.
"""

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable, Iterator
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
    "EMPTY_LIST": "a list, as an array of Python objects does",
    "LIST": "a list, as an array of Python objects does",
    "EMPTY_DICT": "a dictionary",
    "DICT": "a dictionary",
    "NEWOBJ": "an object of a class",
    "NEWOBJ_EX": "an object of a class",
    "INST": "an object of a class",
    "OBJ": "an object of a class",
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
        pickle.UnpicklingError: The pickle asks for anything else, is damaged, or holds no integer array.

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
    except (pickle.UnpicklingError, MemoryError):
        raise
    except Exception as error:  # on damaged bytes the unpickler raises a dozen unrelated types
        raise pickle.UnpicklingError(f"it is damaged ({type(error).__name__})") from error
    if not isinstance(found, _Array):
        _refuse("it holds something else than an array")
    return found.build()


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
    """An admitted name: it can be called if it has a function, and nothing else."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        _refuse("it alters a function")  # BUILD would otherwise set attributes here, for every later file


class _DType:
    """What the pickle says about the array's type: ``i2``, and later its byte order."""

    __slots__ = ("_code", "_order")

    def __init__(self, code: object, align: object = False, copy: object = True) -> None:
        if not isinstance(code, str) or not re.fullmatch(r"[<>|=]?[iu][1248]", code):
            what = "Python objects" if code in ("O", "O8", "O4", "|O") else "something else"
            _refuse(f"it holds an array of {what}, not of integers")
        self._order, self._code = (code[0], code[1:]) if len(code) == 3 else ("=", code)

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 8 or state[2:5] != (None, None, None):
            _refuse("its type is not that of an array of integers")
        if not isinstance(state[1], str) or state[1] not in ("<", ">", "|", "="):
            _refuse("its byte order is unknown")
        self._order = state[1]

    def build(self) -> np.dtype[np.integer[Any]]:
        return np.dtype(self._order + self._code)


class _Array:
    """What the pickle says about the array: its shape, type, order and bytes."""

    __slots__ = ("_axes", "_state")

    def __init__(self, state: tuple[object, object, object, object] | None = None, axes: object = None) -> None:
        self._state = state
        self._axes = axes  # their order, where numpy has pickled a transposed array as it lay in memory

    def __setstate__(self, state: object) -> None:
        if self._state is not None or not isinstance(state, tuple) or len(state) != 5:
            _refuse("its array is not described as numpy does it")
        _, shape, dtype, fortran, content = state
        self._state = (content, dtype, shape, "F" if fortran is True or fortran == 1 else "C")

    def build(self) -> NDArray[np.integer[Any]]:
        content, described, shape, order = self._state or (None, None, None, None)
        if isinstance(content, str):  # Python 2 had one type for bytes and text
            content = content.encode("latin1", errors="strict")
        if (
            not isinstance(content, bytes | bytearray)
            or not isinstance(described, _DType)
            or order not in ("C", "F", "K")
        ):
            _refuse("its array is not described as numpy does it")
        if not isinstance(shape, tuple) or len(shape) > 8 or not all(type(n) is int and n >= 0 for n in shape):
            _refuse("its array has no valid shape")
        dtype = described.build()
        if math.prod(shape) * dtype.itemsize != len(content):
            _refuse(f"its array of shape {_short(shape)} and type {dtype} does not fit its {len(content)} bytes")
        array = np.frombuffer(bytes(content), dtype=dtype).reshape(shape, order="F" if order == "F" else "C")
        if self._axes is None:
            return array
        axes = self._axes
        if not isinstance(axes, tuple) or not all(type(n) is int for n in axes) or sorted(axes) != [*range(len(shape))]:
            _refuse("its axes are in no order")
        return array.transpose(axes)


def _short(shape: tuple[int, ...]) -> str:
    return str(tuple(n if n < 10**12 else float("inf") for n in shape))


def _reconstruct(subtype: object, shape: object, code: object) -> _Array:
    if subtype is not _NDARRAY or type(shape) is not tuple or shape != (0,) or code not in (b"b", "b"):
        _refuse("it rebuilds something else than a plain array")
    return _Array()


def _frombuffer(content: object, dtype: object, shape: object, order: object, axis_order: object = None) -> _Array:
    return _Array((content, dtype, shape, order), axis_order if order == "K" else None)


def _encode(text: object, encoding: object) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        _refuse("it encodes something else than an array's bytes")
    return text.encode("latin1")


def _not_called(*arguments: object) -> NoReturn:
    _refuse("it makes an array other than through its bytes")


_NDARRAY = _Name(_not_called)
_ADMITTED = {"numpy.ndarray": _NDARRAY, "numpy.dtype": _Name(_DType), "_codecs.encode": _Name(_encode)}
for _core in ("numpy.core", "numpy._core"):
    _ADMITTED[f"{_core}.multiarray._reconstruct"] = _Name(_reconstruct)
    _ADMITTED[f"{_core}.numeric._frombuffer"] = _Name(_frombuffer)
