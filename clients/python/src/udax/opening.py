"""open_volume(): from what a user names to an open volume."""

from __future__ import annotations

import os
import re
from typing import Optional, Tuple, Union

from .device import Device
from .errors import fail
from .holding import Holding, slot_of
from .host import system_uuid
from .image import open_image
from .machine import Machine, default_root, is_machine
from .volume import Volume

_DEVICE_NAME = re.compile(r"dax\d+\.\d+")


def _attribute(mountpoint: str, name: str) -> Optional[str]:
    try:
        return os.fsdecode(os.getxattr(mountpoint, f"user.famfs.{name}"))
    except OSError:
        return None


def _places(where: Optional[str], device: Optional[str], root: Optional[str]) -> Tuple[Optional[str], str, Optional[str]]:
    """The machine's root (None: no machine), the device or image, and the uuid that must be there (of a mount)."""
    base = os.path.abspath(root) if root and not root.startswith("kernel:") else root or default_root()
    if where is None or (where == base and device is not None):
        return base, device or "", None
    if _DEVICE_NAME.fullmatch(where):
        return (None, f"/dev/{where}", None) if base.startswith("kernel:") else (base, where, None)
    if is_machine(where):
        return os.path.abspath(where), device or "", None
    if device is not None:
        fail("EINVAL", f"{where} is no state directory: device={device!r} names a device of one", where)
    if not os.path.isdir(where):
        return None, where, None
    name = _attribute(where, "device")
    if name is None:
        fail("ENOENT", f"{where} is no state directory of a machine and no mount of a volume", where)
    if _DEVICE_NAME.fullmatch(name):
        return base, name, _attribute(where, "uuid")
    if not os.path.isabs(name):
        fail("EINVAL", f"{where} is a mount of {name!r}, a path from where it was mounted: open that file itself", where)
    return None, name, _attribute(where, "uuid")


def _hold_and_open(
    device: Device, machine: Optional[Machine], writable: bool, client_writes: bool, purpose: str, plain: bool
) -> Volume:
    state = machine.root if machine is not None else default_root()
    if machine is None:
        holding = Holding(device, purpose)
    else:
        slot = slot_of(machine.identity, device.name)
        holding = Holding(device, purpose, slot, machine.holders, machine.file_mode)
    try:
        # From here on no process of this host changes the device, but one may have changed it just before.
        if device.check is not None:
            device.check()
        owner = system_uuid(state) if writable else None
        return Volume(device, holding, owner, writable, client_writes, plain)
    except BaseException:
        holding.release()
        raise


def open_volume(
    where: Union[None, str, "os.PathLike[str]"] = None,
    *,
    device: Optional[str] = None,
    root: Optional[str] = None,
    writable: bool = False,
    client_writes: bool = False,
    purpose: str = "mount",
    plain: bool = False,
) -> Volume:
    """Opens a volume: no mount, no Node, no copy.

    where: the state directory of a machine (its first device in famfs mode, or `device`), a device of the machine at
        `root` (`dax0.0`), an image file, a device node (`/dev/dax0.0`), or the mountpoint of a volume. Default: `root`.
    root: default `$UDAX_ROOT`, else `~/.local/state/udax`, as for every udax command.
    writable: allows stores into files that are there, on the host that owns the volume; the mode of each file counts.
        Files are made by udax itself.
    client_writes: allows them on other hosts, too.
    purpose: what `udax holders` says of this process.
    plain: shows the names of the log alone, without what the annex says of them: what C famfs shows.

    Raises ENOENT, EACCES; ENODEV no such device; ENXIO not in famfs mode; EINVAL no famfs there; EBADMSG damaged; EBUSY
    another process has the memory for itself alone (mkfs); EIO memory is missing; EOPNOTSUPP another version.
    """
    place = None if where is None else os.fspath(where)
    machine_root, name, uuid = _places(place, device, root)
    machine: Optional[Machine] = None
    if machine_root is None:
        opened = open_image(name, writable)
    else:
        machine = Machine(machine_root)
        opened = machine.open_device(name or machine.first_device(), writable)
    try:
        volume = _hold_and_open(opened, machine, writable, client_writes, purpose, plain)
    except BaseException:
        opened.backing.close()
        raise
    if uuid is not None and volume.uuid != uuid:
        volume.close()
        fail("ENODEV", f"{place} is a mount of another machine's {name}: name its state directory (root=...)", place)
    return volume
