"""The state directory of a udax machine: which devices there are, in which mode, and where their memory lies."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Dict, List, NoReturn, Optional, Tuple

from . import layout
from .backing import Backing
from .device import Device, Range
from .errors import about, fail

_SCHEMA = 2
_MOST_BYTES = 64 * 2**20


def default_root() -> str:
    """`$UDAX_ROOT`, else `${XDG_STATE_HOME:-~/.local/state}/udax`: the default of every udax command."""
    named = os.environ.get("UDAX_ROOT")
    if named:
        return named if named.startswith("kernel:") else os.path.abspath(named)
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(state, "udax")


def is_machine(directory: str) -> bool:
    """Whether a directory is the state directory of a machine."""
    return os.path.isfile(os.path.join(directory, "machine.json"))


class _Reader:
    """Takes values out of a document that anybody may have written. Raises EIO naming the place in it."""

    def __init__(self, file: str) -> None:
        self.file = file

    def damaged(self, what: str) -> NoReturn:
        fail("EIO", f"{self.file} is damaged ({what}): restore it from a backup, or remove the state directory", self.file)

    def number(self, value: Any, what: str) -> int:
        if type(value) is not int or not 0 <= value <= layout.MAX_SAFE:
            self.damaged(f"{what} is not a whole number")
        return int(value)

    def items(self, value: Any, what: str) -> List[Dict[str, Any]]:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.damaged(f"{what} is not a list of objects")
        return list(value)

    def text(self, value: Any, what: str) -> str:
        if not isinstance(value, str):
            self.damaged(f"{what} is not a string")
        return str(value)


class Region:
    """A region of the document: its memory, and its devices with their ranges in the memory's file."""

    def __init__(self, read: _Reader, root: str, found: Dict[str, Any]) -> None:
        memory = found.get("backing")
        if not isinstance(memory, dict):
            read.damaged("regions.backing is not an object")
        self.start = read.number(found.get("start"), "regions.start")
        self.size = read.number(found.get("size"), "regions.size")
        self.offset = read.number(memory.get("offset"), "regions.backing.offset")
        self.coherent = memory.get("coherent") is not False
        name = read.text(memory.get("path"), "regions.backing.path")
        if memory.get("owned") is True:
            if not re.search(r"(?:^|/)regions/\d+\.mem$", name):
                read.damaged("regions.backing.path is no memory of this directory")
            self.path = _own_memory(root, os.path.basename(name))
        elif os.path.isabs(name):
            self.path = name
        else:
            read.damaged("regions.backing.path is not absolute")
        self.devices: Dict[str, Tuple[Optional[str], List[Range]]] = {}
        for device in read.items(found.get("devices"), "regions.devices"):
            label = read.text(device.get("name"), "regions.devices.name")
            driver = device.get("driver")
            self.devices[label] = (driver if isinstance(driver, str) else None, self._ranges(read, device))

    def _ranges(self, read: _Reader, device: Dict[str, Any]) -> List[Range]:
        ranges: List[Range] = []
        at = 0
        for piece in read.items(device.get("ranges"), "regions.devices.ranges"):
            start = read.number(piece.get("start"), "ranges.start")
            length = read.number(piece.get("end"), "ranges.end") + 1 - start
            if start < self.start or start + length > self.start + self.size or length <= 0:
                read.damaged("regions.devices.ranges is not within its region")
            if start % layout.PAGE or length % layout.PAGE:
                read.damaged("regions.devices.ranges are no whole pages")
            ranges.append(Range(at, length, start - self.start + self.offset))
            at += length
        return ranges


def _own_memory(root: str, name: str) -> str:
    """The memory's file with the mark that it has now: it may be about to be made or removed."""
    file = os.path.join(root, "regions", name)
    return next((file + mark for mark in ("", ".new", ".old") if os.path.exists(file + mark)), file)


class Machine:
    """A machine that is only read. It follows changes of machine.json, which other processes replace by rename."""

    def __init__(self, root: str) -> None:
        """Raises ENOENT no machine there, EACCES, EIO damaged machine.json, EOPNOTSUPP written by a newer udax."""
        self.root = os.path.abspath(root)
        self._file = os.path.join(self.root, "machine.json")
        self._seen: Optional[Tuple[int, ...]] = None
        self.regions: List[Region] = []
        self.poison: List[Tuple[int, int]] = []
        self.refresh()
        found = os.stat(self.root)
        #: Equal for two names of one directory.
        self.identity = f"{found.st_dev}:{found.st_ino}"
        self.file_mode = found.st_mode & 0o666
        self.holders = os.path.join(self.root, "holders")

    def refresh(self) -> bool:
        """Reads machine.json when it was replaced. One system call when it was not. True when it was."""
        try:
            found = os.stat(self._file)
            seen = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
            if seen == self._seen:
                return False
            if found.st_size > _MOST_BYTES:
                _Reader(self._file).damaged(f"it has {found.st_size} bytes")
            with open(self._file, "rb") as file:
                text = file.read(_MOST_BYTES)
        except FileNotFoundError:
            fail("ENOENT", f"there is no machine at {self.root}: check the path, or make one with udax", self.root)
        except OSError as cause:
            raise about(cause, "cannot be read", self._file) from cause
        self._parse(text)
        self._seen = seen
        return True

    def _parse(self, text: bytes) -> None:
        read = _Reader(self._file)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as cause:
            read.damaged(str(cause))
        if not isinstance(document, dict):
            read.damaged("the document is not an object")
        schema = read.number(document.get("schema"), "schema")
        if schema > _SCHEMA:
            fail(
                "EOPNOTSUPP",
                f"{self._file} was written by a newer udax (schema {schema}, this one knows {_SCHEMA}): update the package",
                self._file,
            )
        regions = [Region(read, self.root, found) for found in read.items(document.get("regions"), "regions")]
        poison = [
            (read.number(each.get("pfn"), "poison.pfn"), read.number(each.get("pages"), "poison.pages"))
            for each in read.items(document.get("poison", []), "poison")
        ]
        self.regions, self.poison = regions, poison

    def region_of(self, device: str) -> Region:
        """The region of a device in famfs mode. Raises ENODEV no such device, ENXIO it is in another mode."""
        for region in self.regions:
            if device in region.devices:
                driver = region.devices[device][0]
                if driver == "fsdev_dax":
                    return region
                state = "disabled" if driver is None else f"driven by {driver}"
                fail("ENXIO", f"{device} is {state}, a file system needs famfs mode (udax reconfigure-device)", device)
        return fail("ENODEV", f"there is no device {device} on the machine at {self.root}: udax list shows them", device)

    def first_device(self) -> str:
        """The first device in famfs mode. Raises ENODEV."""
        for region in self.regions:
            for name, (driver, _) in region.devices.items():
                if driver == "fsdev_dax":
                    return name
        return fail("ENODEV", f"no device of the machine at {self.root} is in famfs mode: udax list shows them", self.root)

    def failed_in(self, region: Region) -> List[Tuple[int, int]]:
        """Failed memory as ranges of the region's file."""
        move = region.offset - region.start
        return [(pfn * layout.PAGE + move, pages * layout.PAGE) for pfn, pages in self.poison]

    def open_device(self, name: str, writable: bool) -> Device:
        """Opens the memory of a device. Raises as region_of() and opening the file; EIO its memory is not all there."""
        region = self.region_of(name)
        backing = Backing(region.path, writable, region.coherent)
        ranges = region.devices[name][1]
        if not ranges:
            backing.close()
            fail("ENXIO", f"{name} has no memory: it has 0 bytes", name)
        device = Device(name, backing, ranges)
        device.failed = self.failed_in(region)
        before = (region.path, ranges)

        def check() -> None:
            if not self.refresh():
                return
            now = self.region_of(name)
            if (now.path, now.devices[name][1]) != before:
                fail("ENXIO", f"the memory of {name} was changed under its volume: open the volume again", name)
            device.failed = self.failed_in(now)

        device.check = check
        return device
