"""Waits for what other processes publish. As in udax itself there is no queue and no thread: each look reads a few words
of the log, so a slow reader loses nothing and costs no memory."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Tuple

from .entry import Problem
from .errors import fail
from .tree import Stat

if TYPE_CHECKING:
    import threading

    from .volume import Volume

#: The pause while reading is stopped at a bad entry: only a writer can repair it.
_STOPPED_SECONDS = 0.025
_MOST_ENTRIES = 4096


@dataclass(frozen=True)
class WatchEvent:
    """New files and directories, or (`entries` empty) a problem: a bad or a skipped log entry, told once."""

    entries: Tuple[Stat, ...] = ()
    problem: Optional[Problem] = None


def _take(volume: "Volume", seen: int) -> Tuple[int, List[WatchEvent]]:
    """The events of log entries from `seen` on, and the first entry that is not in them."""
    end = min(volume.tree.next_index, seen + _MOST_ENTRIES)
    found = [stat for stat in (volume.tree.stat_of_entry(index) for index in range(seen, end)) if stat is not None]
    events = [WatchEvent(entries=tuple(found))] if found else []
    made = {stat.ino - 2 for stat in found}
    skipped: Dict[int, Problem] = {}
    for problem in volume.tree.problems:
        if seen <= problem.entry < end and problem.entry not in made:
            skipped.setdefault(problem.entry, problem)
    return end, events + [WatchEvent(problem=problem) for problem in skipped.values()]


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
    return _events(volume, volume.tree.next_index, interval, timeout, stop)


def _events(
    volume: "Volume", seen: int, interval: float, timeout: Optional[float], stop: Optional["threading.Event"]
) -> Iterator[WatchEvent]:
    told: Optional[Problem] = None
    quiet_since = time.monotonic()
    while stop is None or not stop.is_set():
        volume.refresh()
        events: List[WatchEvent] = []
        while seen < volume.tree.next_index:
            seen, more = _take(volume, seen)
            events += more
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
