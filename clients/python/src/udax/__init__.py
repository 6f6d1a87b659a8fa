"""udax: one dataset in shared memory, many processes, no copies. This package reads udax and famfs volumes in Python.

    import udax
    volume = udax.open_volume("./pool")
    view = volume.open("/vectors.f32").buffer()     # a memoryview over the shared memory itself

It needs no mount and no Node, only Python. See README.md of the package.
"""

from .arena import Arena, open_arena
from .entry import Extent, Fmap, Problem
from .errors import UdaxError
from .file import FileLock, HostPiece, VolumeFile
from .inode import Stat, Times
from .opening import open_volume
from .pcq import Queue, QueueInfo, open_queue, queue_info
from .superblock import Superblock
from .volume import Volume
from .watch import RemovedName, RenamedName, WatchEvent

__version__ = "0.2.0"

__all__ = [
    "Arena",
    "Extent",
    "FileLock",
    "Fmap",
    "HostPiece",
    "Problem",
    "Queue",
    "QueueInfo",
    "RemovedName",
    "RenamedName",
    "Stat",
    "Superblock",
    "Times",
    "UdaxError",
    "Volume",
    "VolumeFile",
    "WatchEvent",
    "open_arena",
    "open_queue",
    "open_volume",
    "queue_info",
]
