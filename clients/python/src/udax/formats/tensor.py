"""A tensor as the formats give it: a name, a type, a shape, and its bytes in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Iterator, Mapping, Tuple, Union

if TYPE_CHECKING:
    from ..file import VolumeFile

#: Where a format is read from: a file of a volume, or anything with a buffer.
Source = Union["VolumeFile", bytes, bytearray, memoryview]

#: Types by name: numpy's dtype of a view, and bits of an item. Types that numpy lacks are viewed as integers of their size.
DTYPES: Dict[str, Tuple[str, int]] = {
    "bool": ("?", 8),
    "u8": ("u1", 8),
    "i8": ("i1", 8),
    "u16": ("<u2", 16),
    "i16": ("<i2", 16),
    "u32": ("<u4", 32),
    "i32": ("<i4", 32),
    "u64": ("<u8", 64),
    "i64": ("<i8", 64),
    "f16": ("<f2", 16),
    "bf16": ("<u2", 16),
    "f32": ("<f4", 32),
    "f64": ("<f8", 64),
    "c64": ("<c8", 64),
    "c128": ("<c16", 128),
    "f8_e4m3": ("u1", 8),
    "f8_e5m2": ("u1", 8),
    "f8_e8m0": ("u1", 8),
}

MOST_DIMENSIONS = 32


@dataclass(frozen=True)
class Tensor:
    """One tensor. `data` shows its bytes in the file itself. `dtype` is a name of DTYPES, or that of a packed type.

    `shape` is in C order (the last index runs fastest) unless `fortran_order` is set.
    """

    name: str
    dtype: str
    shape: Tuple[int, ...]
    data: memoryview
    fortran_order: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of its data."""
        return self.data.nbytes

    def numpy(self) -> Any:
        """A numpy array over the data: no copy.

        bf16 comes as uint16, 8-bit floats as uint8, packed types (GGUF's q4_0 and so on) as flat uint8: the bits as they are.
        """
        import numpy

        if self.dtype not in DTYPES:
            return numpy.frombuffer(self.data, dtype="u1")
        array = numpy.frombuffer(self.data, dtype=DTYPES[self.dtype][0])
        return array.reshape(self.shape, order="F" if self.fortran_order else "C")


class Tensors(Mapping[str, Tensor]):
    """The tensors of a file by name, in the order of the file, and its metadata."""

    def __init__(self, tensors: Dict[str, Tensor], metadata: Dict[str, Any]) -> None:
        self._tensors = tensors
        self.metadata = metadata

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def bytes_of(source: Source) -> memoryview:
    """The bytes of a source, in place."""
    buffer = getattr(source, "buffer", None)
    return buffer() if callable(buffer) else memoryview(source).cast("B")  # type: ignore[arg-type, no-any-return]


def items_in(shape: Tuple[int, ...], what: str) -> int:
    """How many items a shape has. Raises ValueError for one that no memory can have."""
    if len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"{what} has {len(shape)} dimensions: at most {MOST_DIMENSIONS}")
    count = 1
    for length in shape:
        if length < 0:
            raise ValueError(f"{what} has a dimension of {length}")
        count *= length
        if count >= 2**63:
            raise ValueError(f"{what} has a shape beyond 2^63 items")
    return count
