"""Open-file-description locks, and who has them. The kernel drops the locks of a process that dies."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
import time
from typing import Iterator, List, Optional, Tuple

from .errors import about

_FLOCK = struct.Struct("hhqqi0q")
_SETLK = getattr(fcntl, "F_OFD_SETLK", 37)
_GETLK = getattr(fcntl, "F_OFD_GETLK", 36)
_KINDS = {"shared": fcntl.F_RDLCK, "exclusive": fcntl.F_WRLCK, "unlock": fcntl.F_UNLCK}
_SEARCH_SECONDS = 0.1

#: A byte range: start and length.
Range = Tuple[int, int]


def set_lock(fd: int, kind: str, where: Range = (0, 0)) -> bool:
    """Takes or gives back a lock, without waiting. False when another descriptor has one in the way."""
    try:
        fcntl.fcntl(fd, _SETLK, _FLOCK.pack(_KINDS[kind], os.SEEK_SET, where[0], where[1], 0))
        return True
    except OSError as cause:
        if cause.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise about(cause, f"locking ({kind})", f"descriptor {fd}") from cause


def conflict(fd: int, kind: str, where: Range) -> bool:
    """Whether a lock of another descriptor would be in the way."""
    answer = fcntl.fcntl(fd, _GETLK, _FLOCK.pack(_KINDS[kind], os.SEEK_SET, where[0], where[1], 0))
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def start_time(pid: object = "self") -> int:
    """Start time of a process in clock ticks after boot; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            # The command may hold spaces and parentheses: count from the last one.
            return int(stat.read().rpartition(b")")[2].split()[19])
    except OSError:
        return 0


def command_of(pid: object = "self") -> str:
    """The command line of a process for messages, at most 200 characters."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as words:
            text = words.read().replace(b"\0", b" ").decode("utf-8", "replace")
            return " ".join(text.split())[:200]
    except OSError:
        return "?"


def _identity(fd: int) -> Optional[str]:
    """A file as lock lines name it: device of its file system and inode. stat(2) gives another device on overlays."""
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii", errors="replace") as info:
        text = info.read()
    mount = re.search(r"^mnt_id:\s*(\d+)$", text, re.M)
    inode = re.search(r"^ino:\s*(\d+)$", text, re.M)
    if not mount or not inode:
        return None
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        numbers = re.search(rf"^{mount[1]} \d+ (\d+):(\d+) ", mounts.read(), re.M)
    return f"{int(numbers[1]):02x}:{int(numbers[2]):02x}:{inode[1]}" if numbers else None


def _lock_lines() -> Iterator[Tuple[int, str]]:
    deadline = time.monotonic() + _SEARCH_SECONDS
    pids = sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)
    for pid in pids:
        folder = f"/proc/{pid}/fdinfo"
        try:
            for number in os.listdir(folder):
                if time.monotonic() > deadline:
                    return
                with open(f"{folder}/{number}", encoding="ascii", errors="replace") as info:
                    for line in info:
                        if line.startswith("lock:"):
                            yield pid, line
        except OSError:
            continue  # it has ended, or belongs to another user


_LOCK_LINE = re.compile(r"^lock:.* (?:OFDLCK|POSIX) .*(READ|WRITE) +-?\d+ ([0-9a-f]+:[0-9a-f]+:\d+) (\d+) (\d+|EOF)$")


def holders(fd: int, kind: str, where: Range) -> List[int]:
    """Processes with a lock that is in the way, as far as this user can see them. Slow: for messages only."""
    file = _identity(fd)
    found: List[int] = []
    for pid, line in _lock_lines() if file else ():
        match = _LOCK_LINE.match(line.rstrip("\n"))
        if not match or match[2] != file or pid in found or pid == os.getpid():
            continue
        end = float("inf") if match[4] == "EOF" else int(match[4])
        if int(match[3]) < where[0] + where[1] and where[0] <= end and (match[1] == "WRITE" or kind == "exclusive"):
            found.append(pid)
    return found


def holders_text(fd: int, kind: str, where: Range) -> str:
    """Who is in the way: `pid 4711 (node server.js)`."""
    found = [f"pid {pid} ({command_of(pid)})" for pid in holders(fd, kind, where)]
    return ", ".join(found) or "a process that this one cannot see (look as root: lslocks)"
