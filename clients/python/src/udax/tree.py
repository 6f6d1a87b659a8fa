"""The tree of a volume, made from the log entries and the records of the annex replayed so far.

Entries that break a rule are reported and skipped. Replay stops at the first entry that fails its crc or number, and
tries it again at the next call: another host may be writing it.
"""

from __future__ import annotations

import uuid
from typing import List, Optional, Tuple

from . import layout
from .annex import Annex
from .annex_records import ANNEX_NAME
from .device import Device
from .entry import Fmap, Limits, Problem, decode_fmap, entry_faults, path_components
from .errors import fail
from .inode import Node, Stat, decode_name
from .log import Log
from .names import Found, Names
from .superblock import Superblock

_KEPT_PROBLEMS = 1000
_MAX_DAXDEVS = 256
_PERMISSION_BITS = 0o7777
_NO_OWNER = 0xFFFFFFFF
#: The id that the kernel shows in place of one it cannot map.
_OVERFLOW_ID = 65534
#: Entries that are read at once.
_WINDOW = 1024


class Tree:
    """What a log and its annex make, as far as both were replayed. Without `annex`, the log alone: what C famfs shows."""

    def __init__(self, device: Device, superblock: Superblock, log: Log, annex: bool = True) -> None:
        self._device = device
        self._uuid = superblock.uuid
        self._log = log
        self._device_uuids = [superblock.device_uuid]
        self._limits = Limits(superblock.alloc_unit, superblock.data_start, [superblock.device_size])
        #: The names of the log, and what the annex says of them.
        self.names = Names()
        self._follows_annex = annex
        #: The annex; None while the log names none, or when it is not followed.
        self.annex: Optional[Annex] = None
        #: The first log entry that is not applied yet.
        self.next_index = 0
        self._stop: Optional[Problem] = None
        self.problems: List[Problem] = []
        #: How many problems there were, kept in the list or not.
        self.problem_count = 0

    @property
    def stopped(self) -> Optional[Problem]:
        """The bad entry, or the bad record or file of the annex, at which replay stopped, or None."""
        if self._stop is not None or self.annex is None:
            return self._stop
        return self.annex.stopped

    def replay(self) -> int:
        """Applies what was published since the last call. Returns how many entries and records it passed. Raises ESTALE."""
        passed = self._replay_log()
        if self.annex is None and self._follows_annex and self.names.root_child(ANNEX_NAME) is not None:
            self.annex = Annex(
                self._device,
                self._uuid,
                self.names,
                self._add,
                self.fmap_of,
                self._applied,
                self._applied_again,
            )
        return passed if self.annex is None else passed + self.annex.replay()

    def _applied(self) -> int:
        return self.next_index

    def _applied_again(self) -> int:
        self._replay_log()
        return self.next_index

    def _replay_log(self) -> int:
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
        self._stop = None
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
                self._stop = Problem(code, f"log entry {index}: {text} (byte {byte})", index, byte)
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

    def _own(self, node: Node, index: int, field: bytes, mode: int, uid: int, gid: int) -> None:
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

    def _link(self, index: int, field: bytes, at: int, is_dir: bool, usable: bool = True) -> Optional[Node]:
        """Puts a path into the tree. Returns its node, or None when the entry is skipped; the reason was reported."""
        fault, components = path_components(field)
        if fault is not None:
            self._report(index, field, fault[0], at, fault[1])
            return None
        if not usable:
            return None
        parent: Node = self.names.root
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
        node = Node(index + 2, parent, components[-1], is_dir)
        parent.children[components[-1]] = node
        self.names.nodes[node.ino] = node
        return node

    def _report(self, index: int, field: bytes, code: str, at: int, text: str) -> None:
        byte = self._log.entry_offset(index) + at
        path = decode_name(field.split(b"\0", 1)[0])
        named = f" ({path!r})" if field else ""
        self._add(Problem(code, f"log entry {index}{named}: {text} (byte {byte})", index, byte))

    def _add(self, problem: Problem) -> None:
        self.problem_count += 1
        if len(self.problems) < _KEPT_PROBLEMS:
            self.problems.append(problem)

    # For users

    def find(self, path: str, follow: bool = True) -> Found:
        """What a path leads to. Raises ENOENT, ENOTDIR, EINVAL, ELOOP."""
        return self.names.find(path, self._log.name, follow)

    def stat(self, found: Found) -> Stat:
        """What the tree knows of what a path leads to."""
        return self.names.stat(*found)

    def stat_of(self, ino: int) -> Optional[Stat]:
        """What an inode is now; None when there is none, or when it has no name."""
        if not self.names.exists(ino) or not self.names.has_name(ino):
            return None
        return self.names.stat(ino, self.names.path_of(ino))

    def listed(self, found: Found) -> List[Tuple[str, int]]:
        """Names in a directory and their inodes, in order of creation. Raises ENOTDIR."""
        if not self.names.is_dir(found.ino):
            fail("ENOTDIR", f"{found.path!r} is a file, it has no names in it", found.path)
        return list(self.names.listed(found.ino))

    def fmap(self, found: Found) -> Fmap:
        """The map of a file, read from the log entry that has its bytes. Raises EISDIR, EINVAL; as fmap_of()."""
        ino, path = found
        if self.names.is_dir(ino):
            fail("EISDIR", f"{path!r} is a directory, it has no extents", path)
        if self.names.target(ino) is not None:
            fail("EINVAL", f"{path!r} is a symbolic link, it has no extents", path)
        content = self.names.content_of(ino)
        return self.fmap_of(self.names.nodes[content], path) if content else Fmap(())

    def fmap_of(self, node: Node, path: str = "") -> Fmap:
        """The map of a file of the log, read from its entry at each call and checked again: other hosts can write there.

        Raises EBADMSG the entry fails its checks now; EIO its extents are no good now; ESTALE another file.
        """
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
