"""npy: one array. npz: a zip of arrays; those that are stored, not compressed, are seen in place."""

from __future__ import annotations

import re
import struct
from typing import Dict, Iterator, Mapping, Tuple

from .tensor import DTYPES, Source, Tensor, bytes_of, items_in

_MOST_HEADER = 2**20
#: The header is a literal of Python. Only this form is read: nothing is evaluated.
_HEADER = re.compile(
    r"\s*\{\s*'descr'\s*:\s*'([^']{1,16})'\s*,\s*'fortran_order'\s*:\s*(True|False)\s*,"
    r"\s*'shape'\s*:\s*\(([\d,\sL]*)\)\s*,?\s*\}\s*"
)
_TYPES = {
    "b1": "bool",
    "u1": "u8",
    "i1": "i8",
    "u2": "u16",
    "i2": "i16",
    "u4": "u32",
    "i4": "i32",
    "u8": "u64",
    "i8": "i64",
    "f2": "f16",
    "f4": "f32",
    "f8": "f64",
    "c8": "c64",
    "c16": "c128",
}


def _array(name: str, data: memoryview) -> Tensor:
    if len(data) < 10 or bytes(data[:6]) != b"\x93NUMPY":
        raise ValueError(f"npy: {name} does not begin as an npy array")
    major = data[6]
    if major not in (1, 2, 3):
        raise ValueError(f"npy: {name} has version {major}, which is unknown to this reader")
    size = 2 if major == 1 else 4
    length = int.from_bytes(data[8 : 8 + size], "little")
    start = 8 + size + length
    if length > _MOST_HEADER or start > len(data):
        raise ValueError(f"npy: the header of {name} would have {length} bytes")
    text = bytes(data[8 + size : start]).decode("utf-8" if major == 3 else "latin-1", "replace")
    match = _HEADER.fullmatch(text)
    if not match:
        raise ValueError(f"npy: {name} holds no plain array (records and objects cannot be seen in place): {text[:80]!r}")
    descr, order, lengths = match[1], match[2], match[3]
    dtype = _TYPES.get(descr.lstrip("<|="))
    if dtype is None or descr[0] not in "<|=":
        raise ValueError(f"npy: {name} has the type {descr!r}, which cannot be seen in place")
    words = [word.strip().rstrip("L") for word in lengths.split(",") if word.strip()]
    if not all(word.isdigit() and len(word) < 20 for word in words):
        raise ValueError(f"npy: {name} has the shape ({lengths[:40]})")
    shape = tuple(int(word) for word in words)
    needed = items_in(shape, f"npy: {name}") * DTYPES[dtype][1] // 8
    if start + needed > len(data):
        raise ValueError(f"npy: {name} needs {needed} bytes at {start}, there are {len(data)}")
    return Tensor(name, dtype, shape, data[start : start + needed], order == "True")


def npy(source: Source) -> Tensor:
    """The array of an npy file, in place. Raises ValueError for a bad header, and for records and objects."""
    return _array("the file", bytes_of(source))


_EOCD = struct.Struct("<4s4H2IH")
_EOCD64 = struct.Struct("<4sQ2H2I4Q")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_ALL32 = 0xFFFFFFFF
_MOST_MEMBERS = 2**16


def _directory(data: memoryview) -> Tuple[int, int]:
    """Where the zip's directory begins, and how many members it has."""
    tail = max(0, len(data) - 65557)
    at = bytes(data[tail:]).rfind(b"PK\5\6")
    if at < 0 or tail + at + _EOCD.size > len(data):
        raise ValueError("npz: the file has no end of a zip")
    at += tail
    _, _, _, _, count, _, start, _ = _EOCD.unpack_from(data, at)
    if start == _ALL32 or count == 0xFFFF:
        if at < 20 or bytes(data[at - 20 : at - 16]) != b"PK\6\7":
            raise ValueError("npz: the zip's 64-bit end is missing")
        where = int.from_bytes(data[at - 12 : at - 4], "little")
        if where + _EOCD64.size > len(data) or bytes(data[where : where + 4]) != b"PK\6\6":
            raise ValueError("npz: the zip's 64-bit end is damaged")
        *_, count, _, start = _EOCD64.unpack_from(data, where)
    if count > _MOST_MEMBERS:
        raise ValueError(f"npz: the zip has {count} members: at most {_MOST_MEMBERS}")
    return start, count


def _wide(extra: memoryview, size: int, packed: int, offset: int) -> Tuple[int, int, int]:
    """Sizes and offset of a member, from the 64-bit field where the 32-bit ones are full."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            values = [value for (value,) in struct.iter_unpack("<Q", extra[at + 4 : at + 4 + length // 8 * 8])]
            size = values.pop(0) if size == _ALL32 and values else size
            packed = values.pop(0) if packed == _ALL32 and values else packed
            offset = values.pop(0) if offset == _ALL32 and values else offset
        at += 4 + length
    return size, packed, offset


def _members(data: memoryview) -> Iterator[Tuple[str, int, int, int, int]]:
    """Name, flags, method, local header and size of each member."""
    at, count = _directory(data)
    for _ in range(count):
        if at + _CENTRAL.size > len(data) or bytes(data[at : at + 4]) != b"PK\1\2":
            raise ValueError("npz: the zip's directory is damaged")
        row = _CENTRAL.unpack_from(data, at)
        flags, method, packed, size, names, extras, comment, offset = (row[i] for i in (3, 4, 8, 9, 10, 11, 12, 16))
        body = at + _CENTRAL.size
        size, packed, offset = _wide(data[body + names : body + names + extras], size, packed, offset)
        name = bytes(data[body : body + names]).decode("utf-8" if flags & 0x800 else "cp437", "replace")
        yield name, flags, method, offset, size
        at = body + names + extras + comment


class Arrays(Mapping[str, Tensor]):
    """The arrays of an npz file by name (without `.npy`). A compressed one raises ValueError when it is asked for."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._found: Dict[str, Tuple[int, int, int, int]] = {}
        for name, flags, method, offset, size in _members(data):
            short = name[:-4] if name.endswith(".npy") else name
            if short in self._found:
                raise ValueError(f"npz: {short!r} is there twice")
            self._found[short] = (flags, method, offset, size)

    def __getitem__(self, name: str) -> Tensor:
        flags, method, offset, size = self._found[name]
        if method != 0 or flags & 1:
            raise ValueError(f"npz: {name!r} is compressed or encrypted: write it with numpy.savez, which stores")
        data = self._data
        if offset + _LOCAL.size > len(data) or bytes(data[offset : offset + 4]) != b"PK\3\4":
            raise ValueError(f"npz: {name!r} has no header at {offset}")
        row = _LOCAL.unpack_from(data, offset)
        start = offset + _LOCAL.size + row[9] + row[10]
        if start + size > len(data):
            raise ValueError(f"npz: {name!r} has {size} bytes at {start}, the file has {len(data)}")
        return _array(name, data[start : start + size])

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def npz(source: Source) -> Arrays:
    """The stored arrays of an npz file, in place. Raises ValueError for a damaged zip."""
    return Arrays(bytes_of(source))
