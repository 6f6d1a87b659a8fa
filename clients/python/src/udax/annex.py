"""The annex of a volume: its files in order, and what their records make of the names (docs/annex.md).

It is replayed behind the log. It stops before a record that fails its checks, and tries that again at the next call: another host may
be writing it. Readers trust next_index alone.
"""

from __future__ import annotations

from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple, Union

from .annex_records import (
    BASE_AT,
    HEADER,
    HEADER_BYTES,
    MOST_RECORD_SLOTS,
    NEXT_INDEX_AT,
    SLOT_BYTES,
    Header,
    Record,
    annex_name,
    check_header,
    read_record,
    record_seed,
)
from .annex_replay import Replay
from .device import Device
from .entry import Fault, Fmap, Problem
from .errors import UdaxError
from .inode import Node
from .names import Names

#: Slots that are read at once: the longest record fits.
_WINDOW = 2 * MOST_RECORD_SLOTS
_MOST_READS = 100


class Position(NamedTuple):
    """A place between two records. `seqnum` is the number of the next one."""

    seqnum: int = 0
    file: int = 0
    slot: int = 0


class _File:
    """One annex, in one run of the device, and a private copy of the slots that are being read."""

    def __init__(self, device: Device, number: int, offset: int, header: Header) -> None:
        self._device = device
        self.number = number
        self.offset = offset
        self.slots = header.slots
        self._from = 0
        self._data = b""

    def slot_offset(self, index: int) -> int:
        """Device offset of a slot."""
        return self.offset + HEADER_BYTES + index * SLOT_BYTES

    def next_index(self, known: int) -> int:
        """How many slots are published. On damaged media it can be anything. Read as Log.next_index() reads that of the log."""
        value = known
        for _ in range(_MOST_READS):
            again = int.from_bytes(self._device.read_metadata(self.offset + NEXT_INDEX_AT, 8), "little")
            if again == value:
                break
            value = again
        return value

    def forget(self) -> None:
        """Drops the copy: what is read next comes from the memory."""
        self._data = b""

    def record(self, slot: int, end: int, seqnum: int, seed: int) -> Union[Record, Fault]:
        """The record at a slot, or what is wrong with it. `end`: how many slots are published."""
        wanted = min(end, slot + MOST_RECORD_SLOTS)
        if slot < self._from or wanted * SLOT_BYTES > self._from * SLOT_BYTES + len(self._data):
            count = min(end - slot, _WINDOW)
            self._from = slot
            self._data = self._device.read_metadata(self.slot_offset(slot), count * SLOT_BYTES)
        return read_record(self._data, (slot - self._from) * SLOT_BYTES, end - slot, seqnum, seed)


class Annex:
    """The annex of a tree. `replay_log` applies the log entries published since, and returns the first that is not applied yet."""

    def __init__(
        self,
        device: Device,
        uuid: str,
        names: Names,
        report: Callable[[Problem], None],
        fmap: Callable[[Node], Fmap],
        next_entry: Callable[[], int],
        replay_log: Callable[[], int],
    ) -> None:
        names.follow_annex()
        self._device, self._uuid, self._names = device, uuid, names
        self._report, self._fmap, self._next_entry, self._replay_log = report, fmap, next_entry, replay_log
        self._replay = Replay(names)
        self._seed = record_seed(uuid)
        self._files: List[_File] = []
        self._slot = 0
        self._last_base = 0
        #: How many records were applied or skipped.
        self.records = 0
        #: The bad record, or the bad annex, at which replay stopped, or None.
        self.stopped: Optional[Problem] = None

    @property
    def position(self) -> Position:
        """Behind the last record that was applied or skipped."""
        return Position(self.records, max(0, len(self._files) - 1), self._slot)

    def replay(self) -> int:
        """Applies the records published since the last call. Returns how many it passed."""
        before = self.records
        self.stopped = None
        file = self._files[-1] if self._files else self._open_next()
        while file is not None and self._replay_file(file):
            if self._names.root_child(annex_name(len(self._files))) is None:
                break
            # The writer was done with this annex when it made the next one: the last records may have come in between.
            if not self._replay_file(file):
                break
            file = self._open_next()
        return self.records - before

    def _open_next(self) -> Optional[_File]:
        """Opens the annex behind the last one. None, with `stopped` set, when it cannot be used."""
        number = len(self._files)
        node = self._names.root_child(annex_name(number))
        if node is None:
            return None
        self._names.bind(self._names.root.ino, node.name, 0)
        self._names.annexes.add(node.ino)
        if node.children is not None:
            return self._refuse(node, "annex-kind", "it is a directory")
        try:
            fmap = self._fmap(node)
        except UdaxError as cause:
            return self._refuse(node, "annex-extents", cause.message)
        (extent, *more) = fmap.extents
        length = min(extent.length, node.size)
        if more or extent.devindex != 0 or length < HEADER_BYTES + SLOT_BYTES:
            return self._refuse(node, "annex-extents", "it does not lie in one run of this device, or is too small")
        data = self._device.read_metadata(extent.offset, HEADER.size)
        header = check_header(data, number, length, self._uuid)
        if not isinstance(header, Header):
            code, at, text = header
            byte = extent.offset + at
            self.stopped = Problem(code, f"annex {number}: {text} (byte {byte})", None, byte)
            return None
        if header.first != self.records:
            text = f"its first record has number {header.first}, want {self.records}"
            return self._refuse(node, "annex-first", text)
        self._files.append(_File(self._device, number, extent.offset, header))
        self._slot = 0
        return self._files[-1]

    def _refuse(self, node: Node, code: str, text: str) -> Optional[_File]:
        entry = node.ino - 2
        self.stopped = Problem(code, f"annex {len(self._files)} (log entry {entry}): {text}", entry)
        return None

    def _replay_file(self, file: _File) -> bool:
        """Applies what is published in one annex. False when it stopped."""
        # Beyond the slots there is nothing: of a wild counter the good records count, and the first that is none stops.
        end = min(file.next_index(self._slot), file.slots)
        if end < self._slot:
            text = f"next_index is {end}, {self._slot} of {file.slots} slots were read"
            return self._stop_at(file, ("annex-index", 0, text))
        file.forget()
        while self._slot < end:
            found = file.record(self._slot, end, self.records, self._seed)
            if not isinstance(found, Record):
                # Another host may have been writing it when it was copied.
                file.forget()
                found = file.record(self._slot, end, self.records, self._seed)
            if not isinstance(found, Record):
                return self._stop_at(file, found)
            if not self._apply(file, found):
                return False
        file.forget()
        return True

    def _apply(self, file: _File, record: Record) -> bool:
        base = record.base
        entries = self._next_entry()
        if base > entries:
            entries = self._replay_log()
        if base > entries:
            text = f"it comes after {base} log entries, and there are {entries}"
            return self._stop_at(file, ("annex-base", BASE_AT, text))
        if base >= self._last_base:
            self._last_base = base
            why = self._replay.apply(record)
        else:
            text = f"it comes after {base} log entries, the one before after {self._last_base}"
            why = ("annex-base", BASE_AT, text)
        if why is not None:
            code, at, text = why
            self._report(self._problem(file, (code, at, f"{text}: skipped")))
        self._slot += record.slots
        self.records += 1
        return True

    def _stop_at(self, file: _File, fault: Fault) -> bool:
        self.stopped = self._problem(file, fault)
        return False

    def _problem(self, file: _File, fault: Fault) -> Problem:
        code, at, text = fault
        byte = file.slot_offset(self._slot) + at
        message = f"annex {file.number}, record {self.records}: {text} (byte {byte})"
        return Problem(code, message, None, byte, self.records)

    def records_from(self, start: Position) -> Iterator[Tuple[Record, Position]]:
        """The records that were passed from a position on, each with the position behind it, read from the memory again."""
        seqnum, number, slot = start
        while number < len(self._files):
            file = self._files[number]
            file.forget()
            end = self._slot if file is self._files[-1] else min(file.next_index(file.slots), file.slots)
            while slot < end and seqnum < self.records:
                found = file.record(slot, end, seqnum, self._seed)
                if not isinstance(found, Record):
                    return
                slot += found.slots
                seqnum += 1
                yield found, Position(seqnum, number, slot)
            number, slot = number + 1, 0
