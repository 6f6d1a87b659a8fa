"""Applies the records of an annex to the names of a volume.

A record depends only on the records before it and on the log entries below its base, so all hosts come to the same result. A record
that no writer of udax writes is told and skipped; nothing of it is applied.
"""

from __future__ import annotations

from typing import Callable, Dict, Optional

from . import annex_records as records
from .annex_records import ANNEX_INO_START, ANNEX_NAME, OBJECTS_NAME, RECORD, Record
from .entry import Fault
from .inode import Made, decode_name
from .names import ROOT, Names

_PERMISSION_BITS = 0o7777
_NO_OWNER = 0xFFFFFFFF
#: The id that the kernel shows in place of one it cannot map.
_OVERFLOW_ID = 65534


def _id_of(number: int) -> int:
    return _OVERFLOW_ID if number == _NO_OWNER else number


class Replay:
    """Applies records to names, one after the other."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._acts: Dict[int, Callable[[Record], Optional[Fault]]] = {
            records.BIND: self._bind,
            records.UNBIND: self._unbind,
            records.RENAME: self._rename,
            records.EXCHANGE: self._exchange,
            records.MAKE: self._make,
            records.ATTRIBUTES: self._set_attributes,
            records.TIMES: self._set_times,
            records.XATTR: self._set_xattr,
            records.REPLACE: self._replace,
        }

    def apply(self, record: Record) -> Optional[Fault]:
        """Applies a record. Returns why it was skipped, or None."""
        act = self._acts.get(record.type)
        if act is None:
            return "annex-type", records.TYPE_AT, f"type {record.type} is unknown to this software"
        return act(record)

    def _bind(self, record: Record) -> Optional[Fault]:
        ino, directory = record.ino, record.directory
        why = self._object_fault(record) or self._place_fault(record) or self._taken(record, directory, record.name, ino)
        if why is not None:
            return why
        names = self._names
        if names.is_dir(ino) and (names.has_name(ino) or names.is_in(directory, ino)):
            return "annex-link", records.INO_AT, f"inode {ino} is a directory that has a name, or holds the new one"
        self._set(directory, record.name, ino, record.when)
        return None

    def _unbind(self, record: Record) -> Optional[Fault]:
        why = self._place_fault(record) or self._means(record, record.directory, record.name, record.ino)
        if why is None:
            self._set(record.directory, record.name, 0, record.when)
        return why

    def _rename(self, record: Record) -> Optional[Fault]:
        ino, directory, new_directory = record.ino, record.directory, record.new_directory
        why = (
            self._place_fault(record)
            or self._means(record, directory, record.name, ino)
            or self._new_place_fault(record)
            or self._taken(record, new_directory, record.new_name, ino)
            or self._cycle(new_directory, ino)
        )
        if why is not None:
            return why
        self._set(directory, record.name, 0, record.when)
        self._set(new_directory, record.new_name, ino, record.when)
        return None

    def _exchange(self, record: Record) -> Optional[Fault]:
        ino, other, directory, new_directory = record.ino, record.other, record.directory, record.new_directory
        why = (
            self._place_fault(record)
            or self._means(record, directory, record.name, ino)
            or self._new_place_fault(record)
            or self._means(record, new_directory, record.new_name, other)
            or self._cycle(new_directory, ino)
            or self._cycle(directory, other)
        )
        if why is not None:
            return why
        self._set(directory, record.name, other, record.when)
        self._set(new_directory, record.new_name, ino, record.when)
        return None

    def _make(self, record: Record) -> Optional[Fault]:
        is_link = record.flags == records.MAKE_SYMLINK
        if record.flags != records.MAKE_FILE and not is_link:
            return "annex-make", records.FLAGS_AT, f"it makes nothing known ({record.flags})"
        why = self._place_fault(record) or self._taken(record, record.directory, record.name, 0)
        if why is not None:
            return why
        target = record.value
        if is_link and (not 1 <= len(target) <= records.MOST_TARGET_BYTES or b"\0" in target):
            text = f"the target of a link has {len(target)} bytes, or a NUL"
            return "annex-target", records.VALUE_LENGTH_AT, text
        ino = ANNEX_INO_START + record.seqnum
        mode, owner, group = record.mode & _PERMISSION_BITS, _id_of(record.uid), _id_of(record.gid)
        self._names.made[ino] = Made(target if is_link else None, mode, owner, group)
        self._set(record.directory, record.name, ino, record.when)
        known = self._names.attributes_of(ino)
        known.atime = known.mtime = known.ctime = record.when
        return None

    def _set_attributes(self, record: Record) -> Optional[Fault]:
        why = self._object_fault(record)
        if why is not None:
            return why
        known = self._names.attributes_of(record.ino)
        if record.flags & records.SET_MODE:
            known.mode = record.mode & _PERMISSION_BITS
        if record.flags & records.SET_UID:
            known.uid = _id_of(record.uid)
        if record.flags & records.SET_GID:
            known.gid = _id_of(record.gid)
        known.ctime = record.when
        return None

    def _set_times(self, record: Record) -> Optional[Fault]:
        why = self._object_fault(record)
        if why is not None:
            return why
        known = self._names.attributes_of(record.ino)
        atime, mtime, ctime = records.decode_times(record.value, record.flags)
        if record.flags & records.NO_OTHER_TIMES:
            known.atime, known.mtime, known.ctime = atime, mtime, ctime
            return None
        known.atime = known.atime if atime is None else atime
        known.mtime = known.mtime if mtime is None else mtime
        known.ctime = record.when if ctime is None else ctime
        return None

    def _set_xattr(self, record: Record) -> Optional[Fault]:
        why = self._object_fault(record)
        if why is not None:
            return why
        prefix = records.USER_XATTR_PREFIX
        name = decode_name(record.name)
        if not record.name.startswith(prefix) or record.name == prefix or b"\0" in record.name:
            return "annex-xattr", RECORD.size, f"{name!r} is no attribute of users (user.*)"
        known = self._names.attributes_of(record.ino)
        known.ctime = record.when
        if record.flags & records.XATTR_REMOVE:
            known.xattrs.pop(name, None)
            return None
        if len(known.xattrs) >= records.MOST_XATTRS and name not in known.xattrs:
            return "annex-xattr", RECORD.size, f"inode {record.ino} has {records.MOST_XATTRS} attributes already"
        known.xattrs[name] = record.value
        return None

    def _replace(self, record: Record) -> Optional[Fault]:
        names, ino, content, base = self._names, record.ino, record.other, record.base
        if not names.exists(ino, base) or not names.is_file(ino):
            return "annex-inode", records.INO_AT, f"inode {ino} is no file"
        usable = content < ANNEX_INO_START and names.exists(content, base) and names.is_file(content)
        if content != 0 and not usable:
            text = f"inode {content} is no file of the log, so it is nobody's content"
            return "annex-content", records.OTHER_AT, text
        known = names.attributes_of(ino)
        known.content = content
        known.mtime = known.ctime = record.when
        return None

    # Checks

    def _object_fault(self, record: Record) -> Optional[Fault]:
        names, ino = self._names, record.ino
        if names.exists(ino, record.base) and ino != names.objects and ino not in names.annexes:
            return None
        return "annex-inode", records.INO_AT, f"there is no inode {ino} among what came before it"

    def _place_fault(self, record: Record) -> Optional[Fault]:
        return (
            self._directory_fault(record.directory, record.base, records.DIRECTORY_AT)
            or _name_fault(record.name, RECORD.size, records.NAME_LENGTH_AT)
            or _reserved_fault(record.directory, record.name, RECORD.size)
        )

    def _new_place_fault(self, record: Record) -> Optional[Fault]:
        start = RECORD.size + len(record.name)
        return (
            self._directory_fault(record.new_directory, record.base, records.NEW_DIRECTORY_AT)
            or _name_fault(record.new_name, start, records.NEW_NAME_LENGTH_AT)
            or _reserved_fault(record.new_directory, record.new_name, start)
        )

    def _directory_fault(self, directory: int, base: int, at: int) -> Optional[Fault]:
        names = self._names
        if (
            names.exists(directory, base)
            and names.is_dir(directory)
            and directory != names.objects
            and names.has_name(directory)
        ):
            return None
        return "annex-directory", at, f"inode {directory} is no directory of the tree"

    def _means(self, record: Record, directory: int, name: bytes, ino: int) -> Optional[Fault]:
        """The name must mean this inode."""
        found = self._names.child(directory, name, record.base)
        if found == ino and ino != 0:
            return None
        return "annex-name", RECORD.size, f"{decode_name(name)!r} in inode {directory} is {found}, not {ino}"

    def _taken(self, record: Record, directory: int, name: bytes, ino: int) -> Optional[Fault]:
        """The name must mean what the record says that it replaces, and not `ino` itself."""
        found = self._names.child(directory, name, record.base)
        if found == record.other and (found == 0 or found != ino):
            return None
        text = f"{decode_name(name)!r} in inode {directory} is {found}, it says {record.other}"
        return "annex-name", RECORD.size, text

    def _cycle(self, directory: int, ino: int) -> Optional[Fault]:
        if not self._names.is_dir(ino) or not self._names.is_in(directory, ino):
            return None
        return "annex-cycle", records.NEW_DIRECTORY_AT, f"directory {ino} would be inside itself"

    def _set(self, directory: int, name: bytes, ino: int, when: int) -> None:
        self._names.bind(directory, name, ino)
        known = self._names.attributes_of(directory)
        known.mtime = known.ctime = when


def _name_fault(name: bytes, start: int, length_at: int) -> Optional[Fault]:
    if not 1 <= len(name) <= records.MOST_NAME_BYTES:
        return "annex-name", length_at, f"a name has {len(name)} bytes"
    wrong = [at for at in (name.find(b"/"), name.find(b"\0")) if at >= 0]
    if wrong:
        return "annex-name", start + min(wrong), "a name holds a slash or a NUL"
    if name in (b".", b".."):
        return "annex-name", start, "a name is '.' or '..'"
    return None


def _reserved_fault(directory: int, name: bytes, start: int) -> Optional[Fault]:
    """The annexes and the directory of nameless objects are no part of the tree."""
    if directory != ROOT or (name != OBJECTS_NAME and not name.startswith(ANNEX_NAME)):
        return None
    return "annex-name", start, f"{decode_name(name)!r} is the name of an annex or of its objects"
