"""Reads flatbuffers that anybody may have written: every offset is checked before it is followed."""

from __future__ import annotations

import struct
from typing import Callable, List, Optional, TypeVar

T = TypeVar("T")


class Table:
    """A table at `at` of a buffer. Fields are read by their number in the schema."""

    def __init__(self, data: memoryview, at: int) -> None:
        self.data = data
        self.at = at
        vtable = at - self._read("i", at)
        self._fields = [0, 0]
        if vtable < 0:
            raise ValueError("arrow: the metadata is damaged (a table of fields lies outside)")
        size = self._read("H", vtable)
        if size < 4 or size % 2 or vtable + size > len(data):
            raise ValueError("arrow: the metadata is damaged (a table of fields is cut)")
        self._fields = list(struct.unpack_from(f"<{size // 2}H", data, vtable))

    @staticmethod
    def root(data: memoryview) -> "Table":
        """The table that a buffer is about."""
        if len(data) < 4:
            raise ValueError("arrow: the metadata is cut")
        return Table(data, int.from_bytes(data[:4], "little"))

    def _read(self, letter: str, at: int) -> int:
        size = struct.calcsize("<" + letter)
        if at < 0 or at + size > len(self.data):
            raise ValueError(f"arrow: the metadata is damaged (byte {at} of {len(self.data)})")
        return int(struct.unpack_from("<" + letter, self.data, at)[0])

    def _place(self, field: int) -> Optional[int]:
        offset = self._fields[field + 2] if field + 2 < len(self._fields) else 0
        return self.at + offset if offset else None

    def number(self, field: int, letter: str, default: int = 0) -> int:
        """A scalar."""
        at = self._place(field)
        return default if at is None else self._read(letter, at)

    def _target(self, field: int) -> Optional[int]:
        at = self._place(field)
        return None if at is None else at + self._read("I", at)

    def table(self, field: int) -> Optional["Table"]:
        """Another table, or None."""
        at = self._target(field)
        return None if at is None else Table(self.data, at)

    def string(self, field: int) -> str:
        """A string; '' when there is none."""
        at = self._target(field)
        if at is None:
            return ""
        size = self._read("I", at)
        if at + 4 + size > len(self.data):
            raise ValueError("arrow: the metadata is damaged (a string is cut)")
        return bytes(self.data[at + 4 : at + 4 + size]).decode("utf-8", "replace")

    def vector(self, field: int, size: int, make: Callable[[int], T]) -> List[T]:
        """The items of a vector of `size` bytes each; `make` gets the byte of each."""
        at = self._target(field)
        if at is None:
            return []
        count = self._read("I", at)
        if count > (len(self.data) - at - 4) // size:
            raise ValueError(f"arrow: the metadata is damaged (a vector of {count} items is cut)")
        return [make(at + 4 + i * size) for i in range(count)]

    def tables(self, field: int) -> List["Table"]:
        """The tables of a vector of tables."""
        return self.vector(field, 4, lambda at: Table(self.data, at + self._read("I", at)))

    def structs(self, field: int, form: str) -> "List[tuple[int, ...]]":
        """The structs of a vector, decoded by a format of struct."""
        layout = struct.Struct("<" + form)
        return self.vector(field, layout.size, lambda at: layout.unpack_from(self.data, at))
