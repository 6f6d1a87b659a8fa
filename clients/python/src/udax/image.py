"""An image file, or a /dev/daxX.Y, as a device."""

from __future__ import annotations

import os

from . import layout
from .backing import Backing
from .device import Device, Range
from .errors import UdaxError, fail
from .machine import Machine, is_machine
from .superblock import is_valid

_HUGE = 2 * layout.MIB
#: A superblock that claims more is not believed here; its check reports it.
_LARGEST = 2**50


def _device_bytes(backing: Backing) -> int:
    """The device's size: what a valid superblock names when that is more than the file has, else the whole 2 MiB of it."""
    if backing.is_device:
        return backing.size
    unit = _HUGE if backing.size >= _HUGE else layout.PAGE
    whole = max(unit, backing.size // unit * unit)
    if backing.kind == "hugetlbfs" or backing.size < layout.SUPER_BYTES:
        return whole
    data = bytearray(layout.SUPER_BYTES)
    backing.read_into(memoryview(data), 0)
    claimed = int.from_bytes(data[112:120], "little")
    if not is_valid(bytes(data)) or claimed > _LARGEST:
        return whole
    return max(whole, -(-claimed // layout.PAGE) * layout.PAGE)


def _refuse_system_ram(path: str, size: int) -> None:
    """Refuses a file that is memory of a machine which has it as system-ram. No lock shows that while nobody uses it."""
    real = os.path.realpath(path)
    root = os.path.dirname(os.path.dirname(real))
    if os.path.basename(os.path.dirname(real)) != "regions" or not is_machine(root):
        return
    try:
        machine = Machine(root)
    except UdaxError:
        return  # there is no readable machine, so nothing is known
    for region in machine.regions:
        if os.path.realpath(region.path) != real:
            continue
        for name, (driver, ranges) in region.devices.items():
            if driver == "kmem" and any(each.offset < size for each in ranges):
                fail("EBUSY", f"{path} is memory of the machine at {root}, where {name} is in system-ram mode", path)


def open_image(path: str, writable: bool) -> Device:
    """Opens an image or a device node. Raises as opening it."""
    backing = Backing(path, writable)
    try:
        size = _device_bytes(backing)
        if not backing.is_device:
            _refuse_system_ram(path, size)
    except BaseException:
        backing.close()
        raise
    return Device(path, backing, [Range(0, size, 0)], zero_extend=size > backing.size)
