"""Arrow IPC files: the columns of primitive types of their record batches, as buffers in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from .flatbuffer import Table
from .tensor import DTYPES, Source, Tensor, bytes_of

_MAGIC = b"ARROW1"
_MOST_FIELDS = 2**16
_DEEPEST = 32
_RECORD_BATCH = 3
#: Types of fields by number: how many buffers a column has of its own. Views and unions are handled apart.
_NULL, _INT, _FLOAT, _BINARY, _UTF8, _BOOL = 1, 2, 3, 4, 5, 6
_DATE, _TIME, _TIMESTAMP, _INTERVAL, _UNION, _DURATION = 8, 9, 10, 11, 14, 18
_BUFFERS = {
    _NULL: 0,
    _BINARY: 3,
    _UTF8: 3,
    12: 2,  # list
    13: 1,  # struct
    16: 1,  # fixed-size list
    17: 2,  # map
    19: 3,  # large binary
    20: 3,  # large utf8
    21: 2,  # large list
    22: 0,  # run-end encoded
    25: 3,  # list view
    26: 3,  # large list view
}
_VIEWS = (23, 24)


@dataclass(frozen=True)
class Field:
    """A column of the schema. `dtype` is None when it is not primitive (text, lists, structs, dictionaries ...)."""

    name: str
    dtype: Optional[str]
    nullable: bool


@dataclass(frozen=True)
class Column:
    """A column of one batch. `values` shows it in place. `validity` has a bit an item, lowest first; None: all are there.

    Values of type `bool` are bits too, lowest first: their `values` has the type u8 and one item for eight of them.
    """

    values: Tensor
    validity: Optional[memoryview]
    null_count: int
    length: int


@dataclass
class _Layout:
    """Where the buffers of a top-level column are among those of its batch."""

    field: Field
    bits: int
    node: int
    buffer: int


def _primitive(number: int, kind: Optional[Table]) -> Optional[Tuple[str, int]]:
    """Name and bits of a primitive type; None for another."""
    if kind is None:
        return None
    if number == _INT:
        width = kind.number(0, "i")
        return (f"{'i' if kind.number(1, 'B') else 'u'}{width}", width) if width in (8, 16, 32, 64) else None
    if number == _FLOAT:
        return {0: ("f16", 16), 1: ("f32", 32), 2: ("f64", 64)}.get(kind.number(0, "h"))
    if number == _BOOL:
        return ("bool", 1)
    if number == _DATE:
        return ("i32", 32) if kind.number(0, "h", 1) == 0 else ("i64", 64)
    if number == _TIME:
        width = kind.number(1, "i", 32)
        return (f"i{width}", width) if width in (32, 64) else None
    if number in (_TIMESTAMP, _DURATION):
        return ("i64", 64)
    return None


class _Schema:
    """Counts nodes and buffers over all fields, nested ones too, to find those of the top-level columns."""

    def __init__(self, schema: Table) -> None:
        if schema.number(0, "h") != 0:
            raise ValueError("arrow: the file is big-endian")
        self.nodes = 0
        self.buffers = 0
        self._fields = 0
        #: A column with a variable number of buffers was met: what follows it cannot be found without the batch.
        self.variable = False
        self.columns: List[_Layout] = [self._top(field) for field in schema.tables(1)]

    def _top(self, field: Table) -> _Layout:
        number, kind = field.number(2, "B"), field.table(3)
        found = None if field.table(4) is not None or self.variable else _primitive(number, kind)
        layout = _Layout(
            Field(field.string(0), found[0] if found else None, field.number(1, "B") != 0),
            found[1] if found else 0,
            self.nodes,
            self.buffers,
        )
        self._count(field, 0)
        return layout

    def _count(self, field: Table, depth: int) -> None:
        self._fields += 1
        if depth > _DEEPEST or self._fields > _MOST_FIELDS:
            raise ValueError("arrow: the schema is too deep or has too many fields")
        self.nodes += 1
        if field.table(4) is not None:
            self.buffers += 2  # a dictionary's indices; its values are elsewhere
            return
        number = field.number(2, "B")
        if number == _UNION:
            kind = field.table(3)
            self.buffers += 2 if kind is not None and kind.number(0, "h") == 1 else 1
        elif number in _VIEWS:
            self.variable = True
        else:
            self.buffers += _BUFFERS.get(number, 2)
        for child in field.tables(5):
            self._count(child, depth + 1)


class RecordBatch:
    """One batch of rows. `columns` names those that can be seen in place."""

    def __init__(self, schema: _Schema, header: Table, body: memoryview, where: str) -> None:
        self.length = header.number(0, "q")
        if self.length < 0 or header.table(3) is not None:
            why = "is compressed" if self.length >= 0 else f"has {self.length} rows"
            raise ValueError(f"arrow: {where} {why}: it cannot be seen in place")
        self._nodes = header.structs(1, "qq")
        self._buffers = header.structs(2, "qq")
        self._layouts: Dict[str, _Layout] = {layout.field.name: layout for layout in schema.columns}
        self._body = body
        self._where = where

    @property
    def columns(self) -> List[str]:
        """Names of the primitive columns."""
        return [name for name, layout in self._layouts.items() if layout.field.dtype is not None]

    def _buffer(self, index: int, needed: int, name: str) -> memoryview:
        if index >= len(self._buffers):
            raise ValueError(f"arrow: {self._where} lacks the buffers of column {name!r}")
        offset, length = self._buffers[index]
        if offset < 0 or length < needed or offset + length > len(self._body):
            raise ValueError(
                f"arrow: column {name!r} of {self._where} needs {needed} bytes, its buffer has {length} at {offset} of "
                f"{len(self._body)}"
            )
        return self._body[offset : offset + needed]

    def column(self, name: str) -> Column:
        """A primitive column. Raises KeyError no such column, ValueError it is not primitive, or damaged."""
        layout = self._layouts[name]
        dtype = layout.field.dtype
        if dtype is None:
            raise ValueError(f"arrow: column {name!r} is not of a primitive type: it cannot be seen in place")
        if layout.node >= len(self._nodes):
            raise ValueError(f"arrow: {self._where} lacks the node of column {name!r}")
        length, nulls = self._nodes[layout.node]
        if length != self.length or not 0 <= nulls <= length:
            raise ValueError(f"arrow: column {name!r} of {self._where} has {length} items, {nulls} of them null")
        bitmap = -(-length // 8)
        validity = self._buffer(layout.buffer, bitmap, name) if nulls else None
        data = self._buffer(layout.buffer + 1, -(-length * layout.bits // 8), name)
        if dtype == "bool":
            return Column(Tensor(name, "u8", (bitmap,), data), validity, nulls, length)
        assert DTYPES[dtype][1] == layout.bits
        return Column(Tensor(name, dtype, (length,), data), validity, nulls, length)


class ArrowFile:
    """An Arrow IPC file: its fields, and its batches, each read when it is asked for."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        if len(data) < 20 or bytes(data[:6]) != _MAGIC or bytes(data[-6:]) != _MAGIC:
            raise ValueError("arrow: the file does not begin and end with 'ARROW1'")
        length = int.from_bytes(data[-10:-6], "little")
        if length > len(data) - 18:
            raise ValueError(f"arrow: the footer would have {length} bytes, the file has {len(data)}")
        footer = Table.root(data[len(data) - 10 - length : len(data) - 10])
        schema = footer.table(1)
        if schema is None:
            raise ValueError("arrow: the footer has no schema")
        self._schema = _Schema(schema)
        self._blocks = footer.structs(3, "qi4xq")
        self.fields: List[Field] = [layout.field for layout in self._schema.columns]

    def __len__(self) -> int:
        """How many record batches there are."""
        return len(self._blocks)

    def batch(self, index: int) -> RecordBatch:
        """A record batch. Raises IndexError; ValueError when it is compressed or damaged."""
        offset, meta, size = self._blocks[index]
        where = f"batch {index}"
        start = offset + meta
        if offset < 8 or meta < 8 or size < 0 or start + size > len(self._data):
            raise ValueError(f"arrow: {where} lies at {offset} with {meta} and {size} bytes, outside the file")
        head = self._data[offset:start]
        # Since 2019 a marker of four bytes stands before the length.
        skip = 8 if bytes(head[:4]) == b"\xff\xff\xff\xff" else 4
        message = Table.root(head[skip:])
        header = message.table(2)
        if message.number(1, "B") != _RECORD_BATCH or header is None:
            raise ValueError(f"arrow: {where} is no record batch")
        return RecordBatch(self._schema, header, self._data[start : start + size], where)


def arrow(source: Source) -> ArrowFile:
    """An Arrow IPC file (Feather 2), in place. Raises ValueError for a damaged one."""
    return ArrowFile(bytes_of(source))
