"""Arrays come out of pickles exactly; whatever else a pickle asks for is refused by name, and nothing of it runs."""

import os
import pickle
import pickletools
import random
import resource
import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from attacks import Runs

from monai_freq.data import restricted_pickle
from monai_freq.data.restricted_pickle import load_integers

VOLUME = np.arange(-30, 30, dtype=np.int16).reshape(3, 4, 5)


def refusal(content):
    with pytest.raises(pickle.UnpicklingError) as caught:
        load_integers(content)
    return str(caught.value)


def numpy_1(content):
    """The same pickle as numpy 1 would write it: its modules had no underscore."""
    if b"numpy._core." not in content:
        return content
    old = content.replace(b"numpy._core.", b"numpy.core.")
    if content[:2] > b"\x80\x03":  # frames and short strings begin with their length
        short = len(b"numpy._core.multiarray") if b"multiarray" in content else len(b"numpy._core.numeric")
        old = old.replace(b"\x8c" + bytes([short]) + b"numpy.core", b"\x8c" + bytes([short - 1]) + b"numpy.core")
        frame = struct.unpack("<Q", old[3:11])[0]
        old = old[:3] + struct.pack("<Q", frame - 1) + old[11:]
    return old


def global_(name):
    return b"c" + name.replace(" ", "\n").encode() + b"\n"


RECONSTRUCT = "numpy._core.multiarray _reconstruct"
FROMBUFFER = "numpy._core.numeric _frombuffer"
DTYPE = "numpy dtype"


def binary(text):
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def integer_type(code="i2", order="<"):
    state = b"(K\x03" + binary(order) + b"NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\x00t"
    return global_(DTYPE) + b"(" + binary(code) + b"I00\nI01\ntR" + state + b"b"


def array(shape=b"K\x02K\x03", code="i2", data=b"\0" * 12, order="<"):
    """A pickle of protocol 3, byte by byte as numpy writes it."""
    head = b"\x80\x03" + global_(RECONSTRUCT) + global_("numpy ndarray") + b"K\x00\x85C\x01b\x87R"
    return head + b"(K\x01(" + shape + b"t" + integer_type(code, order) + b"\x89C" + bytes([len(data)]) + data + b"tb."


def buffer(axes):
    """A pickle of protocol 5 of an array whose axes are in this order in memory, as numpy 2 writes it."""
    frombuffer = global_(FROMBUFFER) + b"(\x96" + struct.pack("<Q", 48) + np.arange(24, dtype="<i2").tobytes()
    return b"\x80\x05" + frombuffer + integer_type() + b"K\x02K\x03K\x04\x87" + binary("K") + axes + b"\x87tR."


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", ">i2", "u2", "i4", ">u4", "i8", "u8"])
def test_every_protocol_and_integer_type(protocol, dtype):
    plain = VOLUME.astype(dtype)
    for volume in (plain, np.asfortranarray(plain), plain[:, ::2], plain[::-1], plain.transpose(1, 0, 2)):
        for content in (pickle.dumps(volume, protocol), numpy_1(pickle.dumps(volume, protocol))):
            found = load_integers(content)
            np.testing.assert_array_equal(found, volume)
            assert found.dtype.kind == volume.dtype.kind
            assert found.dtype.itemsize == volume.dtype.itemsize


@pytest.mark.filterwarnings("ignore:numpy.core.numeric is deprecated:DeprecationWarning")
@pytest.mark.parametrize("protocol", range(6))
def test_numpy_1_and_2_name_other_modules(protocol):
    content = pickle.dumps(VOLUME, protocol)
    assert (b"numpy._core" in content) == (int(np.__version__.split(".")[0]) >= 2)
    assert b"numpy._core" not in numpy_1(content)
    np.testing.assert_array_equal(pickle.loads(numpy_1(content)), VOLUME)  # the old name still works in numpy itself


def test_the_bytes_of_python_2():
    # Text and bytes were one type, written by SHORT_BINSTRING; small numbers stood for booleans.
    content = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03(K\x01K\x01K\x02"
        b"K\x02\x87cnumpy\ndtype\nq\x04U\x02i2K\x00K\x01\x87Rq\x05(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U\x08\x01\x00\xff\xff\x03\x00\x00\x80tb."
    )
    np.testing.assert_array_equal(load_integers(content), np.array([[[1, -1], [3, -32768]]], np.int16))


def test_the_hand_written_pickles_are_valid_ones():
    np.testing.assert_array_equal(
        load_integers(array(data=bytes(range(12)))), pickle.loads(array(data=bytes(range(12))))
    )
    turned = np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2)
    np.testing.assert_array_equal(load_integers(buffer(axes=b"K\x01K\x00K\x02")), turned)


def test_the_result_cannot_change_the_bytes_it_came_from():
    found = load_integers(pickle.dumps(VOLUME, 5))
    assert not found.flags.writeable


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_calls_the_system_runs_nothing(protocol, tmp_path):
    trace = tmp_path / "pwned"
    attack = pickle.dumps(Runs(os.system, f"touch {trace}"), protocol)
    assert "system, which no array of integers needs" in refusal(attack)
    assert not trace.exists()
    pickle.loads(attack)  # it would have worked
    assert trace.exists()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("function", [eval, exec, __import__, getattr, open, np.load, subprocess.Popen, pickle.loads])
def test_every_other_name_is_refused(function, protocol):
    assert "which no array of integers needs" in refusal(pickle.dumps(Runs(function, "1"), protocol))


def test_an_attack_beside_a_good_array_runs_nothing(tmp_path):
    trace = tmp_path / "pwned"
    for attack in ((VOLUME, Runs(os.system, f"touch {trace}")), [Runs(os.system, f"touch {trace}"), VOLUME]):
        refusal(pickle.dumps(attack, 4))
    payload = np.array([Runs(os.system, f"touch {trace}"), 1], dtype=object)
    for protocol in range(6):
        refusal(pickle.dumps(payload, protocol))
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a dotted name", b"\x80\x04\x8c\x05numpy\x8c\x13ndarray.__class__.x\x93."),
        ("an unknown submodule", b"\x80\x04\x8c\x0anumpy.core\x8c\x08_methods\x93."),
        ("an extension code", b"\x80\x02\x82\x01."),
        ("a persistent ID", b"\x80\x02X\x01\x00\x00\x00aQ."),
        ("an instance", b"(cos\nsystem\nX\x01\x00\x00\x00ao."),
        ("an old instance", b"(S'a'\nios\nsystem\n."),
        ("out-of-band data", b"\x80\x05\x97."),
        ("a class by NEWOBJ", b"\x80\x02" + global_("numpy ndarray") + b"K\x02\x85\x81."),
        ("a class by REDUCE", b"\x80\x02" + global_("numpy ndarray") + b"K\x02\x85\x85R."),
        ("a subclass", b"\x80\x02" + global_(RECONSTRUCT) + global_(DTYPE) + b"K\x00\x85C\x01b\x87R."),
        ("a subclass by text", b"\x80\x02" + global_(RECONSTRUCT) + b"X\x01\x00\x00\x00aK\x00\x85C\x01b\x87R."),
        (
            "memory at once",
            b"\x80\x02" + global_(RECONSTRUCT) + global_("numpy ndarray") + b"J\xff\xff\xff\x7f\x85C\x01b\x87R.",
        ),
        ("any codec", b"\x80\x02" + global_("_codecs encode") + binary("aa") + binary("rot13") + b"\x86R."),
        (
            "axes in no order",
            buffer(axes=b"K\x01K\x01K\x02"),
        ),
        ("no array", b"\x80\x02K\x05."),
        ("a type alone", b"\x80\x02" + integer_type() + b"."),
        ("a function alone", b"\x80\x02" + global_(DTYPE) + b"."),
        (
            "an empty array's frame",
            b"\x80\x02" + global_(RECONSTRUCT) + global_("numpy ndarray") + b"K\x00\x85C\x01b\x87R.",
        ),
        ("a function's state", b"\x80\x02" + global_(FROMBUFFER) + b"N(K\x01K\x02t\x86b."),
        ("two states", array()[:-1] + b"(K\x01(K\x00t" + integer_type() + b"\x89C\x00tb."),
        ("a structured type", array(code="i2,i2")),
        ("a subarray type", array(code="(2,)i2")),
        ("floats", pickle.dumps(np.zeros((2, 3)), 3)),
        ("booleans", pickle.dumps(np.zeros((2, 3), bool), 3)),
        ("dates", pickle.dumps(np.zeros((2, 3), "M8[s]"), 3)),
        ("a record", pickle.dumps(np.zeros(3, [("x", "i2")]), 2)),
        ("text", pickle.dumps(np.zeros(3, "U2"), 4)),
        ("a scalar", pickle.dumps(np.int16(3), 4)),
        ("a masked array", pickle.dumps(np.ma.zeros(3, "i2"), 4)),
        ("a matrix", b"\x80\x03cnumpy\nmatrix\n."),
        ("a dictionary", pickle.dumps({"volume": VOLUME}, 4)),
        ("a list of arrays", pickle.dumps([VOLUME, VOLUME], 4)),
        ("an unknown order", array(order="!")),
        ("nothing", b""),
        ("text instead", b"examId,seriesNo\n1,2\n"),
        ("a picture", b"\x89PNG\r\n\x1a\n" + bytes(64)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_array_of_integers_is_refused(name, content):
    assert refusal(content)


def test_the_message_says_what_was_asked_for():
    assert "asks for posix.system" in refusal(pickle.dumps(Runs(os.system, "true"), 4))
    assert "an array of Python objects" in refusal(pickle.dumps(np.array([None, 1], object), 2))
    assert "shape (2, 3) and type int16 does not fit its 10 bytes" in refusal(array(data=b"\0" * 10))


@pytest.mark.parametrize(
    "shape", [b"K\x02K\x04", b"K\x0c", b"", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f", b"J\xff\xff\xff\xffK\x06"]
)
def test_a_shape_that_does_not_fit_is_refused_without_memory(shape):
    tracemalloc.start()
    try:
        assert "shape" in refusal(array(shape=shape))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a far memo entry", b"\x80\x02Nr\xff\xff\xff\x7f."),
        ("a far memo entry as text", b"Np99999999999\n."),
        ("a long string that is not there", b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc."),
        ("a long byte array that is not there", b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"abc."),
        ("a long frame that is not there", b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N."),
        ("tuples of tuples", b"\x80\x02)" + b"2\x86" * 400 + b"."),
        ("tuples of tuples through the memo", b"\x80\x02)q\x00" + b"h\x00h\x00\x86q\x00" * 200 + b"."),
        ("a dictionary whose key takes for ever", b"\x80\x02})q\x00" + b"h\x00h\x00\x86q\x00" * 90 + b"Ns."),
        ("a shape that takes for ever", array(shape=b")q\x00" + b"h\x00h\x00\x86q\x00" * 90 + b"K\x01")),
        ("many opcodes", b"\x80\x02" + b"N0" * 10**6 + b"N."),
        ("a deep stack", b"\x80\x02" + b"(" * 10**6 + b"."),
        ("a number of many digits", b"I" + b"9" * 10**6 + b"\n."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bomb_takes_neither_memory_nor_time(name, content):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refusal(content)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_an_admitted_function_keeps_its_attributes():
    for name, admitted in restricted_pickle._ADMITTED.items():
        function = global_(name.replace(".", " ", 1) if name.count(".") == 1 else " ".join(name.rsplit(".", 1)))
        state = b"(" + binary("_function") + global_("numpy dtype") + b"d"
        for content in (function + b"N" + state + b"\x86b.", function + state + b"b.", function + b"K\x01b."):
            refusal(b"\x80\x02" + content)
            # Were the opcodes not counted, the object itself would still refuse.
            with pytest.raises((pickle.UnpicklingError, TypeError, AttributeError)):
                restricted_pickle._Unpickler(restricted_pickle.io.BytesIO(b"\x80\x02" + content)).load()
        assert restricted_pickle._ADMITTED[name] is admitted
    np.testing.assert_array_equal(load_integers(pickle.dumps(VOLUME, 5)), VOLUME)


@pytest.mark.parametrize("protocol", [4, 5])
def test_frames_that_cut_objects_are_refused(protocol):
    content = pickle.dumps(VOLUME, protocol)
    length = struct.unpack("<Q", content[3:11])[0]
    assert length == len(content) - 11
    accepted = set()
    for other in {*range(length + 3), 2**32, 2**62} - {length}:
        try:
            load_integers(content[:3] + struct.pack("<Q", other) + content[11:])
        except pickle.UnpicklingError as error:
            assert "frame" in str(error)  # noqa: PT017
        else:
            accepted.add(other)
    # A frame may end early, between two opcodes.
    assert accepted == {position - 11 for _, _, position in pickletools.genops(content) if position >= 11}
    nested = content[:11] + b"\x95" + struct.pack("<Q", 3) + content[11:]
    assert "frame" in refusal(nested)


@pytest.mark.parametrize("protocol", range(6))
def test_every_truncation_is_refused(protocol):
    content = pickle.dumps(VOLUME, protocol)
    for length in range(len(content)):
        refusal(content[:length])


@pytest.mark.parametrize("protocol", range(6))
def test_mutated_bytes_are_read_or_refused(protocol, monkeypatch):
    monkeypatch.setattr(os, "system", lambda command: pytest.fail("it ran"))
    content, random_ = pickle.dumps(VOLUME, protocol), random.Random(protocol)
    refused = 0
    for _ in range(1500):
        mutated = bytearray(content)
        for _ in range(random_.choice([1, 1, 2, 5])):
            mutated[random_.randrange(len(mutated))] = random_.randrange(256)
        try:
            found = load_integers(bytes(mutated))
        except pickle.UnpicklingError:
            refused += 1
        else:
            assert found.dtype.kind in "iu"
            assert found.nbytes <= len(content)
    assert refused > 300  # or else the bytes that matter were never hit


def test_no_numpy_object_reaches_the_unpickler():
    ours = restricted_pickle.__name__
    assert {type(admitted).__module__ for admitted in restricted_pickle._ADMITTED.values()} == {ours}
    code = f"import sys, {ours} as module; print(*module._ADMITTED)"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(names) == {
        "numpy.ndarray",
        "numpy.dtype",
        "_codecs.encode",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
        "numpy.core.numeric._frombuffer",
        "numpy._core.numeric._frombuffer",
    }


def test_a_name_is_shown_without_what_breaks_lines_or_steers_terminals():
    message = refusal(b"\x80\x02" + global_("os\x1b[2J\x0b sys\x00tem" + "m" * 5000) + b".")
    assert message.isprintable()
    assert len(message) < 150
    assert r"it asks for os\x1b[2J\x0b.sys\x00temmmm" in message
