"""safetensors: a u64 with the length of the header, the header (JSON), then the bytes of all tensors."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Tuple

from .tensor import DTYPES, Source, Tensor, Tensors, bytes_of, items_in

#: As the reference implementation: a longer header is no header.
_MOST_HEADER = 100_000_000
_TYPES = {
    "BOOL": "bool",
    "U8": "u8",
    "I8": "i8",
    "U16": "u16",
    "I16": "i16",
    "U32": "u32",
    "I32": "i32",
    "U64": "u64",
    "I64": "i64",
    "F16": "f16",
    "BF16": "bf16",
    "F32": "f32",
    "F64": "f64",
    "F8_E4M3": "f8_e4m3",
    "F8_E5M2": "f8_e5m2",
    "F8_E8M0": "f8_e8m0",
    "C64": "c64",
}


def _once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("safetensors: the header names something twice")
    return found


def _header(data: memoryview) -> Tuple[Dict[str, Any], int]:
    """The header, and where the tensors' bytes begin."""
    if len(data) < 8:
        raise ValueError(f"safetensors: {len(data)} bytes hold no header")
    length = int.from_bytes(data[:8], "little")
    if length > _MOST_HEADER or length > len(data) - 8:
        raise ValueError(f"safetensors: the header would have {length} bytes, the file has {len(data)}")
    if length < 2 or data[8:9] != b"{":
        raise ValueError("safetensors: the header does not begin with '{'")
    try:
        found = json.loads(bytes(data[8 : 8 + length]).decode("utf-8"), object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("safetensors: the header is nested too deep") from None
    except UnicodeDecodeError:
        raise ValueError("safetensors: the header is not UTF-8") from None
    return found, 8 + length


def _whole_numbers(value: Any, what: str) -> Tuple[int, ...]:
    if not isinstance(value, list) or not all(type(item) is int and 0 <= item < 2**63 for item in value):
        raise ValueError(f"safetensors: {what} is no list of whole numbers")
    return tuple(value)


def _tensor(name: str, about: Any, data: memoryview) -> Tuple[Tensor, int, int]:
    if not isinstance(about, dict):
        raise ValueError(f"safetensors: tensor {name!r} is not described by an object")
    stated = about.get("dtype")
    dtype = _TYPES.get(stated) if isinstance(stated, str) else None
    if dtype is None:
        raise ValueError(f"safetensors: tensor {name!r} has the type {stated!r}, which this reader lacks")
    shape = _whole_numbers(about.get("shape"), f"the shape of {name!r}")
    offsets = _whole_numbers(about.get("data_offsets"), f"data_offsets of {name!r}")
    if len(offsets) != 2 or not offsets[0] <= offsets[1] <= len(data):
        raise ValueError(f"safetensors: tensor {name!r} lies at {list(offsets)}, there are {len(data)} bytes")
    begin, end = offsets
    needed = items_in(shape, f"safetensors: tensor {name!r}") * DTYPES[dtype][1] // 8
    if end - begin != needed:
        raise ValueError(f"safetensors: tensor {name!r} has {end - begin} bytes, its shape and type need {needed}")
    return Tensor(name, dtype, shape, data[begin:end]), begin, end


def safetensors(source: Source) -> Tensors:
    """The tensors of a safetensors file, in place. `metadata` is its `__metadata__`. Raises ValueError for a bad header.

    >>> header = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    >>> file = len(header).to_bytes(8, "little") + header + bytes([0, 0, 128, 63, 0, 0, 0, 64])
    >>> safetensors(file)["a"].data.cast("f").tolist()
    [1.0, 2.0]
    """
    data = bytes_of(source)
    header, start = _header(data)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("safetensors: __metadata__ is no map of strings")
    tensors: Dict[str, Tensor] = {}
    places: List[Tuple[int, int, str]] = []
    for name, about in header.items():
        tensors[name], begin, end = _tensor(name, about, data[start:])
        places.append((begin, end, name))
    at = 0
    for begin, end, name in sorted(places):
        if begin != at:
            raise ValueError(f"safetensors: tensor {name!r} begins at {begin}, the one before ends at {at}")
        at = end
    if at != len(data) - start:
        raise ValueError(f"safetensors: the tensors end at {at}, the file has {len(data) - start} bytes for them")
    return Tensors(tensors, metadata)
