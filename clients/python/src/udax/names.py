"""The names of a volume: those of the log entries, and what the annex says of them (docs/annex.md).

Every inode of the log has a default name, that of its entry. It is in force until a record of the annex names the same place;
from then on the annex alone says what is there. While a volume has no annex there are only default names.
"""

from __future__ import annotations

from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Tuple, Union

from . import layout
from .annex_records import ANNEX_INO_START, OBJECTS_NAME
from .errors import fail
from .inode import LINK_MODE, Attributes, Made, Node, Stat, decode_name, encode_name

#: As Linux.
_MOST_LINKS = 40
_NOT_THERE = 0
ROOT = layout.ROOT_INO
#: Beyond all log entries.
EVERY_ENTRY = 2**64


class Found(NamedTuple):
    """What a path leads to: its inode, and its path with symbolic links followed."""

    ino: int
    path: str


class Names:
    """Inodes, their names and attributes. Inode 1 is the root, i + 2 that of log entry i, 2^32 + r what record r made."""

    def __init__(self) -> None:
        self.root = Node(ROOT, None, b"", True)
        #: What the log has.
        self.nodes: Dict[int, Node] = {ROOT: self.root}
        #: What only the annex has.
        self.made: Dict[int, Made] = {}
        self.attributes: Dict[int, Attributes] = {}
        #: Inode numbers of the annexes.
        self.annexes: Set[int] = set()
        #: What the annex says of names: directory, name, inode; 0 for a name that is taken away.
        self._bound: Dict[int, Dict[bytes, int]] = {}
        #: The same from the inode: its names, the latest one last.
        self._names_of: Dict[int, Dict[Tuple[int, bytes], None]] = {}
        self._has_annex = False

    def follow_annex(self) -> None:
        """From now on there is an annex: what belongs to it is no part of the tree."""
        self._has_annex = True
        self.bind(ROOT, OBJECTS_NAME, _NOT_THERE)

    @property
    def objects(self) -> int:
        """Inode number of the directory of nameless objects; -1 while there is none."""
        found = self.root_child(OBJECTS_NAME) if self._has_annex else None
        return -1 if found is None or found.children is None else found.ino

    def root_child(self, name: bytes) -> Optional[Node]:
        """What the log has in the root under a name."""
        assert self.root.children is not None
        return self.root.children.get(name)

    # What there is

    def exists(self, ino: int, before: int = EVERY_ENTRY) -> bool:
        """Whether a number is that of an object. `before`: only log entries below this index count."""
        if ino >= ANNEX_INO_START:
            return ino in self.made
        return ino == ROOT or (ino - 2 < before and ino in self.nodes)

    def is_dir(self, ino: int) -> bool:
        """Whether an inode that is there is a directory."""
        return ino < ANNEX_INO_START and self.nodes[ino].children is not None

    def is_file(self, ino: int) -> bool:
        """Whether an inode that is there is a regular file."""
        if ino < ANNEX_INO_START:
            return self.nodes[ino].children is None
        return self.made[ino].target is None

    def target(self, ino: int) -> Optional[bytes]:
        """The target of a symbolic link; None when it is none."""
        made = self.made.get(ino)
        return None if made is None else made.target

    def content_of(self, ino: int) -> int:
        """The inode number of the log entry that has the bytes of a file; 0 when it is empty."""
        known = self.attributes.get(ino)
        if known is not None and known.content is not None:
            return known.content
        return ino if ino < ANNEX_INO_START else 0

    def attributes_of(self, ino: int) -> Attributes:
        """What records set of an object, to be changed by them."""
        return self.attributes.setdefault(ino, Attributes())

    # Names

    def bind(self, directory: int, name: bytes, ino: int) -> None:
        """Lets a name mean an inode, or nothing (0)."""
        names = self._bound.setdefault(directory, {})
        place = (directory, name)
        before = names.get(name, _NOT_THERE)
        if before != _NOT_THERE:
            self._names_of[before].pop(place, None)
        names[name] = ino
        if ino != _NOT_THERE:
            self._names_of.setdefault(ino, {})[place] = None

    def child(self, directory: int, name: bytes, before: int = EVERY_ENTRY) -> int:
        """What a name in a directory means, 0 for nothing. `before` as in exists()."""
        bound = self._bound.get(directory)
        if bound is not None and name in bound:
            return bound[name]
        if directory >= ANNEX_INO_START or directory == self.objects:
            return _NOT_THERE
        children = self.nodes[directory].children
        node = None if children is None else children.get(name)
        return _NOT_THERE if node is None or node.ino - 2 >= before else node.ino

    def _has_default_name(self, ino: int) -> bool:
        if ino >= ANNEX_INO_START:
            return False
        node = self.nodes[ino]
        if node.parent is None:
            return True
        if node.parent.ino == self.objects:
            return False
        return node.name not in self._bound.get(node.parent.ino, ())

    def has_name(self, ino: int) -> bool:
        """Whether an inode has a name."""
        return bool(self._names_of.get(ino)) or self._has_default_name(ino)

    def links(self, ino: int) -> int:
        """How many names an inode has."""
        return len(self._names_of.get(ino, ())) + self._has_default_name(ino)

    def place_of(self, ino: int) -> Tuple[int, bytes]:
        """The first name of an inode: directory and name. Of one that has none, the root and what it was made as."""
        if self._has_default_name(ino):
            node = self.nodes[ino]
            return (ROOT if node.parent is None else node.parent.ino), node.name
        bound = self._names_of.get(ino)
        if bound:
            return next(reversed(bound))
        return ROOT, self.nodes[ino].name if ino < ANNEX_INO_START else b"inode %d" % ino

    def is_in(self, directory: int, above: int) -> bool:
        """Whether `directory` is `above` or lies below it."""
        while directory != above:
            if directory == ROOT:
                return False
            directory = self.place_of(directory)[0]
        return True

    def path_of(self, ino: int) -> str:
        """From the root, with a leading slash, by the first name of each."""
        parts: List[str] = []
        while ino != ROOT:
            ino, name = self.place_of(ino)
            parts.append(decode_name(name))
        return "/" + "/".join(reversed(parts))

    def listed(self, directory: int) -> Iterator[Tuple[str, int]]:
        """The names in a directory with their inodes: those of log entries in order of creation, then those of the annex."""
        bound = self._bound.get(directory, {})
        children = self.nodes[directory].children or {}
        if directory != self.objects:
            for name, node in list(children.items()):
                if name not in bound:
                    yield decode_name(name), node.ino
        for name, ino in list(bound.items()):
            if ino != _NOT_THERE:
                yield decode_name(name), ino

    # For users

    def find(self, path: str, device: str, follow: bool = True) -> Found:
        """What a path leads to; '/a/b' and 'a/b' are the same. Symbolic links are followed, the last name only with `follow`.

        The root of the volume is that of their targets, as for a process that is confined to the volume.
        Raises ENOENT, ENOTDIR, EINVAL, ELOOP.
        """
        left = _components(path)
        walked: List[Tuple[int, str]] = []
        follow = follow or path.endswith("/")
        links = 0
        while left:
            name = left.pop()
            if name in (b"", b"."):
                continue
            if name == b"..":
                del walked[-1:]
                continue
            here = walked[-1][0] if walked else ROOT
            self._must_be_directory(here, walked, path)
            ino = self.child(here, name)
            if ino == _NOT_THERE:
                fail("ENOENT", f"{path!r} does not exist on {device}", path)
            target = self.target(ino) if left or follow else None
            if target is None:
                walked.append((ino, decode_name(name)))
                continue
            links += 1
            if links > _MOST_LINKS:
                fail("ELOOP", f"{path!r} leads through more than {_MOST_LINKS} symbolic links", path)
            if target.startswith(b"/"):
                walked.clear()
            left.extend(reversed(target.split(b"/")))
        found = walked[-1][0] if walked else ROOT
        if path.endswith("/"):
            self._must_be_directory(found, walked, path)
        return Found(found, _text(walked))

    def _must_be_directory(self, ino: int, walked: List[Tuple[int, str]], path: str) -> None:
        if not self.is_dir(ino):
            fail("ENOTDIR", f"{path!r}: '{_text(walked)}' is a file, not a directory", path)

    def stat(self, ino: int, path: str) -> Stat:
        """What is known of an inode."""
        known = self.attributes.get(ino) or Attributes()
        made = self.made.get(ino)
        base: Union[Node, Made] = self.nodes[ino] if made is None else made
        is_dir = self.is_dir(ino)
        target = None if made is None else made.target
        content = self.content_of(ino)
        if target is not None:
            size = len(target)
        else:
            size = self.nodes[content].size if content else 0
        return Stat(
            path,
            ino,
            is_dir,
            size,
            LINK_MODE if target is not None else base.mode if known.mode is None else known.mode,
            base.uid if known.uid is None else known.uid,
            base.gid if known.gid is None else known.gid,
            int(self.has_name(ino)) if is_dir else self.links(ino),
            None if target is None else decode_name(target),
            known.times,
        )


def _text(walked: List[Tuple[int, str]]) -> str:
    return "/" + "/".join(name for _, name in walked)


def _components(path: str) -> List[bytes]:
    """The names in a path that a user gives, the last one first. Raises EINVAL."""
    if not isinstance(path, str):
        fail("EINVAL", f"a path on a volume is text, not {type(path).__name__}")
    if "\0" in path:
        fail("EINVAL", "a path cannot hold a NUL character", path)
    names = [name for name in path.split("/") if name]
    for name in names:
        if name in (".", ".."):
            fail("EINVAL", f"{path!r} has a {name!r} component: give the plain path from the root", path)
    return [encode_name(name, path) for name in reversed(names)]
