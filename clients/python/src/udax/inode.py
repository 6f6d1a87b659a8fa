"""What a volume says of one file, directory or symbolic link, and how names are text here and bytes on media."""

from __future__ import annotations

import stat as _stat
from dataclasses import dataclass, field
from typing import Dict, Optional

from .errors import fail

LINK_MODE = 0o777


@dataclass(frozen=True)
class Times:
    """Nanoseconds since 1970, negative before; None: nobody knows."""

    atime_ns: Optional[int] = None
    mtime_ns: Optional[int] = None
    ctime_ns: Optional[int] = None


@dataclass(frozen=True)
class Stat:
    """What a volume says of a file, directory or symbolic link.

    `mode` has permission bits only; sizes are bytes, 0 for directories. `nlink` counts the names (1 for directories), 0 when it was
    removed. `target` is that of a symbolic link, else None. `times` is None while the annex says nothing of them.
    """

    path: str
    ino: int
    is_dir: bool
    size: int
    mode: int
    uid: int
    gid: int
    nlink: int = 1
    target: Optional[str] = None
    times: Optional[Times] = None

    @property
    def name(self) -> str:
        """The last component of the path; '' for the root."""
        return self.path.rsplit("/", 1)[1]

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link: only lstat() and watch() tell of those."""
        return self.target is not None

    @property
    def st_mode(self) -> int:
        """The mode with the type's bits, as os.stat() gives it."""
        kind = _stat.S_IFDIR if self.is_dir else _stat.S_IFREG if self.target is None else _stat.S_IFLNK
        return self.mode | kind


class Node:
    """A file or directory that a log entry made, under the name that the entry gave it."""

    __slots__ = ("children", "gid", "ino", "mode", "name", "parent", "size", "uid")

    def __init__(self, ino: int, parent: "Optional[Node]", name: bytes, is_dir: bool) -> None:
        self.ino = ino
        self.parent = parent
        self.name = name
        self.children: Optional[Dict[bytes, Node]] = {} if is_dir else None
        self.size = 0
        self.mode = 0o755
        self.uid = 0
        self.gid = 0


@dataclass(frozen=True)
class Made:
    """An object that only the annex knows: an empty file, or a symbolic link with its target."""

    target: Optional[bytes]
    mode: int
    uid: int
    gid: int


@dataclass
class Attributes:
    """What records of the annex set of an object. None: they said nothing."""

    mode: Optional[int] = None
    uid: Optional[int] = None
    gid: Optional[int] = None
    atime: Optional[int] = None
    mtime: Optional[int] = None
    ctime: Optional[int] = None
    #: The inode number of the log entry that has the bytes; 0 none. None: its own entry.
    content: Optional[int] = None
    xattrs: Dict[str, bytes] = field(default_factory=dict)

    @property
    def times(self) -> Optional[Times]:
        """Its times, None when there are none."""
        found = (self.atime, self.mtime, self.ctime)
        return None if found == (None, None, None) else Times(*found)


def decode_name(name: bytes) -> str:
    """Bytes of a name as text. Bytes that are not UTF-8 become lone surrogates, as in os.fsdecode()."""
    return name.decode("utf-8", "surrogateescape")


def encode_name(name: str, path: str) -> bytes:
    """Text of a name as bytes on media."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return fail("EINVAL", f"{path!r} has half a surrogate pair: that is no character", path)
