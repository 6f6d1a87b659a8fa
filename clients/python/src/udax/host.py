"""The uuid of this host. A superblock names its owner by such a uuid: only the owner writes."""

from __future__ import annotations

import os
import uuid
from typing import Optional

from .errors import fail

#: The file where C famfs keeps it. All programs of a host share it.
_HOST_FILE = "/opt/famfs/system_uuid"


def _checked(text: str, where: str) -> str:
    try:
        if len(text) == 36:
            return str(uuid.UUID(text))
    except ValueError:
        pass
    return fail("EINVAL", f"{where} holds {text!r}, which is no uuid: correct or remove it", where)


def _read(file: str) -> Optional[str]:
    try:
        with open(file, encoding="latin-1") as found:
            words = found.read(4096).replace("\0", " ").split()
    except OSError:
        return None
    return _checked(words[0][:36], file) if words else None


def system_uuid(state_directory: str) -> Optional[str]:
    """`$UDAX_SYSTEM_UUID`, else the host's file, else that of the state directory. None when there is none.

    A reader makes none: without one this host is a client of every volume.
    """
    named = os.environ.get("UDAX_SYSTEM_UUID")
    if named:
        return _checked(named, "$UDAX_SYSTEM_UUID")
    return _read(_HOST_FILE) or _read(os.path.join(state_directory, "system_uuid"))
