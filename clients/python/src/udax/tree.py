"""The tree of a volume, made from the log entries replayed so far.

Entries that break a rule are reported and skipped. Replay stops at the first entry that fails its crc or number, and
tries it again at the next call: another host may be writing it.
"""

from __future__ import annotations

import stat as _stat
import uuid
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Tuple

from . import layout
from .entry import Fmap, Limits, Problem, decode_fmap, entry_faults, path_components
from .errors import fail
from .log import Log
from .superblock import Superblock

_KEPT_PROBLEMS = 1000
_MAX_DAXDEVS = 256
_PERMISSION_BITS = 0o7777
_NO_OWNER = 0xFFFFFFFF
#: The id that the kernel shows in place of one it cannot map.
_OVERFLOW_ID = 65534
#: Entries that are read at once.
_WINDOW = 1024


@dataclass(frozen=True)
class Stat:
    """What a volume says of a file or directory. `mode` has permission bits only; sizes are bytes, 0 for directories."""

    path: str
    ino: int
    is_dir: bool
    size: int
    mode: int
    uid: int
    gid: int

    @property
    def name(self) -> str:
        """The last component of the path; '' for the root."""
        return self.path.rsplit("/", 1)[1]

    @property
    def st_mode(self) -> int:
        """The mode with the type's bits, as os.stat() gives it."""
        return self.mode | (_stat.S_IFDIR if self.is_dir else _stat.S_IFREG)


class _Node:
    __slots__ = ("children", "gid", "ino", "mode", "name", "parent", "size", "uid")

    def __init__(self, ino: int, parent: Optional["_Node"], name: bytes, is_dir: bool) -> None:
        self.ino = ino
        self.parent = parent
        self.name = name
        self.children: Optional[Dict[bytes, _Node]] = {} if is_dir else None
        self.size = 0
        self.mode = 0o755
        self.uid = 0
        self.gid = 0


def decode_name(name: bytes) -> str:
    """Bytes of a name as text. Bytes that are not UTF-8 become lone surrogates, as in os.fsdecode()."""
    return name.decode("utf-8", "surrogateescape")


def encode_name(name: str, path: str) -> bytes:
    """Text of a name as bytes on media."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return fail("EINVAL", f"{path!r} has half a surrogate pair: that is no character", path)


class Tree:
    """Inodes and names. Inode 1 is the root; the file or directory of log entry i is i + 2, on every host."""

    def __init__(self, superblock: Superblock, log: Log) -> None:
        self._log = log
        self._device_uuids = [superblock.device_uuid]
        self._limits = Limits(superblock.alloc_unit, superblock.data_start, [superblock.device_size])
        self._root = _Node(layout.ROOT_INO, None, b"", True)
        self._nodes: Dict[int, _Node] = {layout.ROOT_INO: self._root}
        #: The first log entry that is not applied yet.
        self.next_index = 0
        #: The bad entry at which replay stopped, or None.
        self.stopped: Optional[Problem] = None
        self.problems: List[Problem] = []
        #: How many problems there were, kept in the list or not.
        self.problem_count = 0

    def replay(self) -> int:
        """Applies what was published since the last call. Returns how many entries it passed. Raises ESTALE."""
        published = self._log.next_index(self.next_index)
        if published < self.next_index:
            fail(
                "ESTALE",
                f"{self._log.name}: the log has {published} entries, {self.next_index} were replayed: the device was "
                "formatted anew underneath; close the volume and open it again",
                self._log.name,
            )
        end = min(published, self._log.slots)
        first = self.next_index
        while self.next_index < end:
            count = min(_WINDOW, end - self.next_index)
            if not self._apply_window(self.next_index, count):
                return self.next_index - first
        self.stopped = None
        return self.next_index - first

    def _apply_window(self, first: int, count: int) -> bool:
        data = self._log.read_slots(first, count)
        for i in range(count):
            index = first + i
            entry = data[i * layout.ENTRY_BYTES : (i + 1) * layout.ENTRY_BYTES]
            faults = entry_faults(entry, index)
            if faults:
                entry, faults = self._log.read_again(index)
            if faults:
                code, at, text = faults[0]
                byte = self._log.entry_offset(index) + at
                self.stopped = Problem(code, f"log entry {index}: {text} (byte {byte})", index, byte)
                return False
            self._apply(index, entry)
            self.next_index = index + 1
        return True

    def _apply(self, index: int, entry: bytes) -> None:
        kind = layout.ENTRY_HEAD.unpack_from(entry)[1]
        if kind == layout.TYPE_FILE:
            self._apply_file(index, entry)
        elif kind == layout.TYPE_MKDIR:
            uid, gid, mode, field = layout.MKDIR_META.unpack_from(entry, layout.META_AT)
            node = self._link(index, field, layout.MKDIR_PATH_AT, True)
            if node is not None:
                self._own(node, index, field, mode, uid, gid)
        elif kind == layout.TYPE_ADD_DAXDEV:
            self._apply_daxdev(index, entry)

    def _apply_file(self, index: int, entry: bytes) -> None:
        size, _, uid, gid, mode, field = layout.FILE_META.unpack_from(entry, layout.META_AT)
        fmap, faults = decode_fmap(entry, size, self._limits)
        for code, at, text in faults:
            self._report(index, field, code, at, text)
        node = self._link(index, field, layout.FILE_PATH_AT, False, fmap is not None)
        if node is not None:
            node.size = size
            self._own(node, index, field, mode, uid, gid)

    def _apply_daxdev(self, index: int, entry: bytes) -> None:
        size, raw, number = layout.ADD_DAXDEV.unpack_from(entry, layout.META_AT)
        name = str(uuid.UUID(bytes=raw))
        count = len(self._device_uuids)
        if size > layout.MAX_SAFE:
            text = f"the device size {size} is beyond 2^53"
        elif count >= _MAX_DAXDEVS:
            text = f"there are {_MAX_DAXDEVS} devices already"
        elif number != count:
            text = f"device index {number} is out of turn, want {count}"
        elif name in self._device_uuids:
            text = f"device uuid {name} is there already"
        else:
            self._device_uuids.append(name)
            self._limits.device_sizes.append(size)
            return
        self._report(index, b"", "daxdev", layout.META_AT, text)

    def _own(self, node: _Node, index: int, field: bytes, mode: int, uid: int, gid: int) -> None:
        if mode > _PERMISSION_BITS:
            self._report(index, field, "entry-mode", layout.META_AT, f"the mode is {mode:#x}, no permission bits")
        owners = []
        for what, value in (("uid", uid), ("gid", gid)):
            if value == _NO_OWNER:
                text = f"the {what} is {value}, which is nobody's: taken as {_OVERFLOW_ID}"
                self._report(index, field, "entry-owner", layout.META_AT, text)
                value = _OVERFLOW_ID
            owners.append(value)
        node.mode = mode & _PERMISSION_BITS
        node.uid, node.gid = owners

    def _link(self, index: int, field: bytes, at: int, is_dir: bool, usable: bool = True) -> Optional[_Node]:
        """Puts a path into the tree. Returns its node, or None when the entry is skipped; the reason was reported."""
        fault, components = path_components(field)
        if fault is not None:
            self._report(index, field, fault[0], at, fault[1])
            return None
        if not usable:
            return None
        parent: _Node = self._root
        for i, component in enumerate(components[:-1]):
            assert parent.children is not None
            found = parent.children.get(component)
            if found is None or found.children is None:
                name = decode_name(b"/".join(components[: i + 1]))
                if found is None:
                    text, code = f"its parent directory {name!r} does not exist", "missing-parent"
                else:
                    text, code = f"{name!r} is a file, not a directory", "parent-not-directory"
                self._report(index, field, code, at, text)
                return None
            parent = found
        assert parent.children is not None
        known = parent.children.get(components[-1])
        if known is not None:
            self._report(index, field, "duplicate-path", at, f"the path exists since log entry {known.ino - 2}")
            return None
        node = _Node(index + 2, parent, components[-1], is_dir)
        parent.children[components[-1]] = node
        self._nodes[node.ino] = node
        return node

    def _report(self, index: int, field: bytes, code: str, at: int, text: str) -> None:
        self.problem_count += 1
        if len(self.problems) >= _KEPT_PROBLEMS:
            return
        byte = self._log.entry_offset(index) + at
        path = decode_name(field.split(b"\0", 1)[0])
        named = f" ({path!r})" if field else ""
        self.problems.append(Problem(code, f"log entry {index}{named}: {text} (byte {byte})", index, byte))

    def lookup(self, path: str) -> _Node:
        """The node of a path from the root; '/a/b' and 'a/b' are the same. Raises ENOENT, ENOTDIR, EINVAL."""
        if not isinstance(path, str):
            fail("EINVAL", f"a path on a volume is text, not {type(path).__name__}")
        if "\0" in path:
            fail("EINVAL", "a path cannot hold a NUL character", path)
        node = self._root
        for component in path.split("/"):
            if component == "":
                continue
            if component in (".", ".."):
                fail("EINVAL", f"{path!r} has a {component!r} component: give the plain path from the root", path)
            if node.children is None:
                fail("ENOTDIR", f"{path!r}: '{self.path_of(node)}' is a file, not a directory", path)
            found = node.children.get(encode_name(component, path))
            if found is None:
                fail("ENOENT", f"{path!r} does not exist on {self._log.name}", path)
            node = found
        return node

    def path_of(self, node: _Node) -> str:
        """From the root, with a leading slash."""
        names: List[str] = []
        at: Optional[_Node] = node
        while at is not None and at.parent is not None:
            names.append(decode_name(at.name))
            at = at.parent
        return "/" + "/".join(reversed(names))

    def stat(self, node: _Node) -> Stat:
        """What the tree knows of a node."""
        is_dir = node.children is not None
        return Stat(self.path_of(node), node.ino, is_dir, node.size, node.mode, node.uid, node.gid)

    def listed(self, node: _Node) -> Iterator[Tuple[str, bool]]:
        """Names in a directory and whether they are directories, in order of creation. Raises ENOTDIR."""
        if node.children is None:
            path = self.path_of(node)
            fail("ENOTDIR", f"{path!r} is a file, it has no names in it", path)
        for name, child in node.children.items():
            yield decode_name(name), child.children is not None

    def stat_of_entry(self, index: int) -> Optional[Stat]:
        """The file or directory that a log entry made; None when it made none."""
        node = self._nodes.get(index + 2)
        return None if node is None else self.stat(node)

    def fmap(self, node: _Node) -> Fmap:
        """The map of a file, read from its log entry at each call and checked again: other hosts can write there.

        Raises EISDIR; EBADMSG the entry fails its checks now; EIO its extents are no good now; ESTALE another file.
        """
        path = self.path_of(node)
        if node.children is not None:
            fail("EISDIR", f"{path!r} is a directory, it has no extents", path)
        index = node.ino - 2
        name = self._log.name
        entry, faults = self._log.read_again(index)
        if faults:
            fail("EBADMSG", f"{name}: log entry {index}: {faults[0][2]}; udax fsck tells more", path)
        kind = layout.ENTRY_HEAD.unpack_from(entry)[1]
        size = layout.FILE_META.unpack_from(entry, layout.META_AT)[0]
        if kind != layout.TYPE_FILE or size != node.size:
            fail("ESTALE", f"log entry {index} changed since it was replayed: {name} was formatted anew underneath", path)
        fmap, faults = decode_fmap(entry, size, self._limits)
        if fmap is None:
            text = faults[-1][2]
            fail("EIO", f"{name}: log entry {index} changed since it was replayed, {text}: who writes there?", path)
        return fmap
