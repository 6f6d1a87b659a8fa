"""GGUF: a header of typed keys, a list of tensors, then their bytes, aligned."""

from __future__ import annotations

import struct
from typing import Any, Dict, List, Tuple

from .tensor import Source, Tensor, Tensors, bytes_of, items_in

#: Scalar types of values by number: struct's letter, bytes.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
#: Types of tensors by number: name, items of a block, bytes of a block.
_TYPES: Dict[int, Tuple[str, int, int]] = {
    0: ("f32", 1, 4),
    1: ("f16", 1, 2),
    2: ("q4_0", 32, 18),
    3: ("q4_1", 32, 20),
    6: ("q5_0", 32, 22),
    7: ("q5_1", 32, 24),
    8: ("q8_0", 32, 34),
    9: ("q8_1", 32, 36),
    10: ("q2_k", 256, 84),
    11: ("q3_k", 256, 110),
    12: ("q4_k", 256, 144),
    13: ("q5_k", 256, 176),
    14: ("q6_k", 256, 210),
    15: ("q8_k", 256, 292),
    16: ("iq2_xxs", 256, 66),
    17: ("iq2_xs", 256, 74),
    18: ("iq3_xxs", 256, 98),
    19: ("iq1_s", 256, 50),
    20: ("iq4_nl", 32, 18),
    21: ("iq3_s", 256, 110),
    22: ("iq2_s", 256, 82),
    23: ("iq4_xs", 256, 136),
    24: ("i8", 1, 1),
    25: ("i16", 1, 2),
    26: ("i32", 1, 4),
    27: ("i64", 1, 8),
    28: ("f64", 1, 8),
    29: ("iq1_m", 256, 56),
    30: ("bf16", 1, 2),
    34: ("tq1_0", 256, 54),
    35: ("tq2_0", 256, 66),
    39: ("mxfp4", 32, 17),
}
_MOST_DIMENSIONS = 4
#: Strings of arrays are copied out of the file: so many of them at most.
_MOST_STRINGS = 2**22
_MOST_STRING_BYTES = 2**28
_DEEPEST = 8


class _Cursor:
    """Reads the header from front to back. Never past the end of the file."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0
        self._strings = 0
        self._string_bytes = 0

    def take(self, size: int, what: str) -> memoryview:
        if size > len(self.data) - self.at:
            raise ValueError(f"gguf: {what} at byte {self.at} needs {size} bytes, the file has {len(self.data)}")
        found = self.data[self.at : self.at + size]
        self.at += size
        return found

    def number(self, letter: str, what: str) -> Any:
        size = struct.calcsize("<" + letter)
        return struct.unpack("<" + letter, self.take(size, what))[0]

    def string(self, what: str) -> str:
        data = self.take(self.number("Q", what), what)
        self._strings += 1
        self._string_bytes += len(data)
        if self._strings > _MOST_STRINGS or self._string_bytes > _MOST_STRING_BYTES:
            raise ValueError(f"gguf: the header has more than {_MOST_STRINGS} strings or {_MOST_STRING_BYTES} bytes of them")
        return bytes(data).decode("utf-8", "replace")

    def value(self, kind: int, what: str, depth: int = 0) -> Any:
        if kind == _STRING:
            return self.string(what)
        if kind == _ARRAY:
            return self._array(what, depth)
        if kind not in _SCALARS:
            raise ValueError(f"gguf: {what} has a value of type {kind}, which is unknown")
        return self.number("B", what) != 0 if kind == 7 else self.number(_SCALARS[kind], what)

    def _array(self, what: str, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError(f"gguf: {what} is nested too deep")
        kind, count = self.number("I", what), self.number("Q", what)
        if kind in _SCALARS:
            letter = "B" if kind == 7 else _SCALARS[kind]
            # In place: an array can be long.
            return self.take(count * struct.calcsize("<" + letter), what).cast(letter)
        # Each item takes at least this many bytes of the file.
        if count > (len(self.data) - self.at) // 8 or count > _MOST_STRINGS:
            raise ValueError(f"gguf: {what} has {count} items, too many for its file")
        return [self.value(kind, what, depth + 1) for _ in range(count)]


def _tensor_infos(read: _Cursor, count: int) -> List[Tuple[str, Tuple[int, ...], int, int]]:
    infos = []
    # The shortest description has 24 bytes.
    if count > len(read.data) // 24:
        raise ValueError(f"gguf: {count} tensors do not fit {len(read.data)} bytes")
    for i in range(count):
        name = read.string(f"the name of tensor {i}")
        dimensions = read.number("I", f"tensor {name!r}")
        if dimensions > _MOST_DIMENSIONS:
            raise ValueError(f"gguf: tensor {name!r} has {dimensions} dimensions: at most {_MOST_DIMENSIONS}")
        lengths = tuple(read.number("Q", f"tensor {name!r}") for _ in range(dimensions))
        infos.append((name, lengths, read.number("I", f"tensor {name!r}"), read.number("Q", f"tensor {name!r}")))
    return infos


def _tensor(info: Tuple[str, Tuple[int, ...], int, int], data: memoryview, alignment: int) -> Tensor:
    name, lengths, kind, offset = info
    if kind not in _TYPES:
        raise ValueError(f"gguf: tensor {name!r} has the type {kind}, which this reader lacks")
    dtype, items, size = _TYPES[kind]
    count = items_in(lengths, f"gguf: tensor {name!r}")
    if (lengths[0] if lengths else 1) % items:
        raise ValueError(f"gguf: rows of tensor {name!r} are no whole blocks of {items}")
    needed = count // items * size
    if offset % alignment or offset + needed > len(data):
        raise ValueError(
            f"gguf: tensor {name!r} lies at {offset} with {needed} bytes, there are {len(data)} (aligned to {alignment})"
        )
    # The file gives the fastest dimension first.
    return Tensor(name, dtype, tuple(reversed(lengths)), data[offset : offset + needed])


def gguf(source: Source) -> Tensors:
    """The tensors of a GGUF file, in place; packed types as their bytes. `metadata` has its keys. Raises ValueError.

    Arrays of numbers in the metadata are memoryviews over the file, too.
    """
    read = _Cursor(bytes_of(source))
    if bytes(read.take(4, "the magic")) != b"GGUF":
        raise ValueError("gguf: the file does not begin with 'GGUF'")
    version = read.number("I", "the version")
    if version not in (2, 3):
        raise ValueError(f"gguf: version {version} is unknown to this reader (2 and 3, little-endian)")
    tensors, keys = read.number("Q", "the number of tensors"), read.number("Q", "the number of keys")
    if keys > len(read.data) // 13:
        raise ValueError(f"gguf: {keys} keys do not fit {len(read.data)} bytes")
    metadata: Dict[str, Any] = {}
    for i in range(keys):
        key = read.string(f"key {i}")
        if key in metadata:
            raise ValueError(f"gguf: the key {key!r} is there twice")
        metadata[key] = read.value(read.number("I", f"key {key!r}"), f"key {key!r}")
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1 or alignment > 2**30 or alignment & (alignment - 1):
        raise ValueError(f"gguf: general.alignment is {alignment!r}, no power of two")
    infos = _tensor_infos(read, tensors)
    start = -(-read.at // alignment) * alignment
    found: Dict[str, Tensor] = {}
    for info in infos:
        if info[0] in found:
            raise ValueError(f"gguf: tensor {info[0]!r} is there twice")
        found[info[0]] = _tensor(info, read.data[start:], alignment)
    return Tensors(found, metadata)
