"""Damage to files, drawn from a seed: what disks, downloads, editors and attackers do to them."""

import gzip
import json
import pickletools
import struct
from collections.abc import Callable
from random import Random

__all__ = ["mutated"]

EXTREMES = [
    struct.pack(code, value)
    for code, values in {
        "b": (-1, 0, 127),
        "<h": (-1, 0, 32767, -32768),
        "<i": (-1, 0, 2**31 - 1, -(2**31)),
        "<q": (-1, 0, 2**63 - 1, 2**40, -(2**63)),
        "<f": (float("nan"), float("inf"), -1e38, 1e-45, 0.0),
        ">i": (2**31 - 1, 1),
        ">q": (2**40,),
    }.items()
    for value in values
]
NIFTI_FIELDS = {  # offset, type: of the header's first 348 bytes
    "sizeof_hdr": (0, "<i"),
    **{f"dim[{i}]": (40 + 2 * i, "<h") for i in range(8)},
    "datatype": (70, "<h"),
    "bitpix": (72, "<h"),
    **{f"pixdim[{i}]": (76 + 4 * i, "<f") for i in range(4)},
    "vox_offset": (108, "<f"),
    "scl_slope": (112, "<f"),
    "scl_inter": (116, "<f"),
    "qform_code": (252, "<h"),
    "quatern_b": (256, "<f"),
    "srow_x": (280, "<f"),
    "magic": (344, "<i"),
    "extension": (348, "<i"),
}
WHOLE = {"<h": (-32768, -1, 0, 1, 2, 255, 512, 768, 32767), "<i": (-(2**31), -1, 0, 1, 16, 348, 540, 2**31 - 1)}
REAL = (float("nan"), float("inf"), float("-inf"), 0.0, -1.0, 1e-40, 1e38, 347.0, 2.0**31)
WORDS = [
    *("", " ", "-1", "0", "1e999", "NaN", "-Infinity", "9" * 25, "9" * 5000, "1_0", "٣", "true", "null", "[]", "{}"),
    *("../../../etc/passwd", "/etc/passwd", "a/../b", "C:\\x", "\x00", "\ud800", "\ufeff", "é" * 300, "[" * 100_000),
    *('"', "'", ",", ",,", ":", "\n", "\r", "\r\n", "\\", "\\ud800", "{", "}", "[", "]", "#", "%s%n", "=cmd()"),
    "x" * 70_000,
]
CALLS = [
    b"cos\nsystem\n(S'touch %s'\ntR",
    b"cposix\nsystem\n(S'touch %s'\ntR",
    b'c__builtin__\neval\n(S\'open("%s", "w")\'\ntR',
    b'cbuiltins\nexec\n(S\'open("%s", "w")\'\ntR',
    b"(S'touch %s'\nios\nsystem\n",
    b"(cos\nsystem\nS'touch %s'\no",
    b"csubprocess\ncall\n((S'touch'\nS'%s'\nltR",
    b"\x8c\x02os\x8c\x06system\x93(S'touch %s'\ntR",
    b"cnumpy\nload\n(S'%s'\ntR",
    b"cpathlib\nPath\n(S'%s'\ntR(N(dS'touch'\nNtb",
]
OPCODES = [opcode.code.encode("latin1") for opcode in pickletools.opcodes]

Damage = Callable[[bytes, Random], bytes]


def truncated(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content))]


def flipped(content: bytes, random: Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        damaged[_place(damaged, random)] ^= 1 << random.randrange(8)
    return bytes(damaged)


def inserted(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] + random.randbytes(random.choice((1, 4, 100, 5000))) + content[at:]


def deleted(content: bytes, random: Random) -> bytes:
    start, stop = _span(content, random)
    return content[:start] + content[stop:]


def duplicated(content: bytes, random: Random) -> bytes:
    start, stop = _span(content, random)
    return content[:stop] + content[start:stop] * random.choice((1, 1, 3, 50)) + content[stop:]


def swapped(content: bytes, random: Random) -> bytes:
    start, stop = _span(content, random)
    at = random.randrange(len(content))
    return content[:at] + content[start:stop] + content[at + stop - start :]


def extreme(content: bytes, random: Random) -> bytes:
    field = random.choice(EXTREMES)
    at = _place(content, random) // len(field) * len(field)
    return content[:at] + field + content[at + len(field) :]


def nifti_field(content: bytes, random: Random) -> bytes:
    offset, code = random.choice(list(NIFTI_FIELDS.values()))
    field = struct.pack(code, random.choice(REAL if code == "<f" else WHOLE[code]))
    return content[:offset] + field + content[offset + len(field) :]


def nifti_shape(content: bytes, random: Random) -> bytes:
    sizes = [random.choice((0, 1, 4, 5, 6, 200, 3000, 32767)) for _ in range(7)]
    return content[:40] + struct.pack("<8h", random.randrange(2, 6), *sizes) + content[56:]


def worded(content: bytes, random: Random) -> bytes:
    word = random.choice(WORDS).encode("utf-8", "surrogatepass")
    start, stop = _word(content, random)
    return content[:start] + word + content[stop if random.random() < 0.7 else start :]


def exchanged_value(content: bytes, random: Random) -> bytes:
    """Another value somewhere in a JSON document, which stays valid."""
    document = json.loads(content)
    values = (None, True, -1, 10**30, 1e308, "", "../../etc/passwd", [], {}, [[]], [None], {"0": 0}, "\x00", {"": ""})
    place, key = random.choice(list(_places(document)))
    place[key] = random.choice(values)
    return json.dumps(document).encode()


def hostile(content: bytes, random: Random) -> bytes:
    call = random.choice(CALLS) % b"pwned"
    at = random.choice((0, 2, len(content) - 1, random.randrange(len(content))))
    return random.choice((content[:at] + call + content[at:], content[:2] + call + b"."))


def opcode(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content))
    return content[:at] + random.choice(OPCODES) + content[at + random.randrange(2) :]


def mutated(content: bytes, kind: str, random: Random) -> bytes:
    """One to three damages, at random, that suit the kind of file."""
    if kind == "nii.gz":
        if random.random() < 0.6:  # its checksum would tell of any other
            return gzip.compress(mutated(gzip.decompress(content), "nii", random), 1, mtime=0)
        kind = "gz"
    damages = [truncated, flipped, inserted, deleted, duplicated, swapped, extreme, *OF_KIND.get(kind, [])]
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        damage = random.choice(damages)
        try:
            content = damage(content, random)
        except (ValueError, IndexError, RecursionError):  # of what an earlier damage has left
            content = random.randbytes(random.randrange(64))
    return content


OF_KIND: dict[str, list[Damage]] = {
    "nii": [nifti_field] * 8 + [nifti_shape] * 4,
    "hdf5": [extreme] * 6,
    "pck": [hostile] * 4 + [opcode] * 4,
    "json": [worded] * 4 + [exchanged_value] * 8,
    "csv": [worded] * 10,
    "text": [worded] * 6,
}


def _place(content: bytes | bytearray, random: Random) -> int:
    """Headers lie at the start: one place in two is among the first bytes."""
    return random.randrange(min(len(content), 600) if random.random() < 0.5 else len(content))


def _span(content: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(len(content))
    return start, min(len(content), start + random.choice((1, 2, 8, 64, 512, 4096)))


def _word(content: bytes, random: Random) -> tuple[int, int]:
    at = start = stop = random.randrange(len(content))
    while start > 0 and content[start - 1 : start].isalnum():
        start -= 1
    while stop < len(content) and content[stop : stop + 1].isalnum():
        stop += 1
    return (start, stop) if stop > start else (at, at + 1)


def _places(document: object):  # of every value in a JSON document
    if isinstance(document, dict | list):
        for key in document if isinstance(document, dict) else range(len(document)):
            yield document, key
            yield from _places(document[key])
