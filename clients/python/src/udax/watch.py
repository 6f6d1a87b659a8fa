"""Waits for what other processes publish. As in udax itself there is no queue and no thread: each look reads a few words
of log and annex, so a slow reader loses nothing and costs no memory."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Tuple

from . import annex_records as records
from .annex import Position
from .annex_records import ANNEX_INO_START, Record
from .entry import Problem
from .errors import fail
from .inode import Stat, decode_name

if TYPE_CHECKING:
    import threading

    from .tree import Tree
    from .volume import Volume

#: The pause while reading is stopped at a bad entry: only a writer can repair it.
_STOPPED_SECONDS = 0.025
_MOST_ENTRIES = 4096


@dataclass(frozen=True)
class RemovedName:
    """A name that is gone. What had it lives on while somebody has it open, or while it has another name."""

    path: str
    ino: int


@dataclass(frozen=True)
class RenamedName:
    """A name that changed. The paths are those that the two directories have now."""

    old_path: str
    path: str
    ino: int


@dataclass(frozen=True)
class WatchEvent:
    """One of these: `entries` appeared, names are `removed` or `renamed`, or there is a `problem`: a bad or a skipped entry, told once."""

    entries: Tuple[Stat, ...] = ()
    problem: Optional[Problem] = None
    removed: Tuple[RemovedName, ...] = ()
    renamed: Tuple[RenamedName, ...] = ()


class _Changes:
    """What records of the annex did to names."""

    def __init__(self, tree: "Tree") -> None:
        self._tree = tree
        #: Inode numbers of what got a name.
        self.named: List[int] = []
        self.removed: List[RemovedName] = []
        self.renamed: List[RenamedName] = []

    def _path(self, directory: int, name: bytes) -> str:
        names = self._tree.names
        above = names.path_of(directory) if names.exists(directory) else "/"
        return f"{above.rstrip('/')}/{decode_name(name)}"

    def add(self, record: Record) -> None:
        """Takes in a record that was applied."""
        path = self._path(record.directory, record.name)
        new_path = self._path(record.new_directory, record.new_name)
        if record.type in (records.BIND, records.MAKE, records.RENAME) and record.other != 0:
            self.removed.append(RemovedName(new_path if record.type == records.RENAME else path, record.other))
        if record.type == records.UNBIND:
            self.removed.append(RemovedName(path, record.ino))
        elif record.type == records.BIND:
            self.named.append(record.ino)
        elif record.type == records.MAKE:
            self.named.append(ANNEX_INO_START + record.seqnum)
        elif record.type in (records.RENAME, records.EXCHANGE):
            self.renamed.append(RenamedName(path, new_path, record.ino))
            if record.type == records.EXCHANGE:
                self.renamed.append(RenamedName(new_path, path, record.other))


class _Seen:
    """How far a watcher has told."""

    def __init__(self, tree: "Tree") -> None:
        self._tree = tree
        self._entry = tree.next_index
        self._record = Position() if tree.annex is None else tree.annex.position

    def is_behind(self) -> bool:
        """Whether there is something to tell."""
        annex = self._tree.annex
        return self._entry < self._tree.next_index or (annex is not None and self._record.seqnum < annex.records)

    def take(self) -> List[WatchEvent]:
        """The events of what was not told yet, of so many entries and records at most."""
        tree = self._tree
        first, first_record = self._entry, self._record.seqnum
        changes = self._take_records()
        self._entry = min(tree.next_index, first + _MOST_ENTRIES)
        found: Dict[int, Stat] = {}
        for ino in (*range(first + 2, self._entry + 2), *changes.named):
            stat = tree.stat_of(ino)
            if stat is not None:
                found[ino] = stat
        events = [WatchEvent(entries=tuple(found.values()))] if found else []
        if changes.renamed:
            events.append(WatchEvent(renamed=tuple(changes.renamed)))
        if changes.removed:
            events.append(WatchEvent(removed=tuple(changes.removed)))
        told: Dict[Tuple[Optional[int], Optional[int]], Problem] = {}
        for problem in tree.problems:
            entry, record = problem.entry, problem.record
            is_new = entry is not None and first <= entry < self._entry and not tree.names.exists(entry + 2)
            if is_new or (record is not None and first_record <= record < self._record.seqnum):
                told.setdefault((entry, record), problem)
        return events + [WatchEvent(problem=problem) for problem in told.values()]

    def _take_records(self) -> _Changes:
        changes = _Changes(self._tree)
        annex = self._tree.annex
        if annex is None or self._record.seqnum == annex.records:
            return changes
        skipped = {problem.record for problem in self._tree.problems}
        count = 0
        for record, behind in annex.records_from(self._record):
            self._record = behind
            if record.seqnum not in skipped:
                changes.add(record)
            count += 1
            if count == _MOST_ENTRIES:
                return changes
        self._record = annex.position  # what can no longer be read is lost to this watcher
        return changes


def watch(
    volume: "Volume", interval: float, timeout: Optional[float], stop: Optional["threading.Event"]
) -> Iterator[WatchEvent]:
    """Yields an event for what appears after this call.

    interval: seconds between looks, 0.001 to 1; a file is seen that long after it is whole, at most.
    timeout: ends the iteration when nothing has appeared for so many seconds; None waits for ever.
    stop: an event of another thread that ends the iteration.
    Raises ESTALE, ENXIO, EIO, EBADF when there is nothing to watch any more.
    """
    if not 0.001 <= interval <= 1:
        fail("EINVAL", f"a watch interval of {interval} s is refused: 0.001 to 1", volume.name)
    volume.refresh()
    return _events(volume, _Seen(volume.tree), interval, timeout, stop)


def _events(
    volume: "Volume", seen: _Seen, interval: float, timeout: Optional[float], stop: Optional["threading.Event"]
) -> Iterator[WatchEvent]:
    told: Optional[Problem] = None
    quiet_since = time.monotonic()
    while stop is None or not stop.is_set():
        volume.refresh()
        events: List[WatchEvent] = []
        while seen.is_behind():
            events += seen.take()
        stopped = volume.stopped
        if stopped is not None and stopped != told:
            told = stopped
            events.append(WatchEvent(problem=stopped))
        if events:
            yield from events
            quiet_since = time.monotonic()
            continue
        pause = _STOPPED_SECONDS if stopped is not None else interval
        if timeout is not None:
            rest = timeout - (time.monotonic() - quiet_since)
            if rest <= 0:
                return
            pause = min(pause, rest)
        if stop is None:
            time.sleep(pause)
        else:
            stop.wait(pause)
