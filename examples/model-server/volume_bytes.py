"""The bytes of a file of a udax volume as a memoryview of the memory itself, for a program without any library.

This is the only place of the example that knows how. With the udax package it is `udax.open_volume(root).open(path).buffer()`.
"""
import json
import mmap
import os


def open_bytes(root, path, pieces):
    """pieces: where the file lies, as main.mjs tells it: {"size", "extents": [{"path", "offset", "length"}]}."""
    where = json.loads(pieces)
    if len(where["extents"]) != 1:
        raise OSError(f"{path} of {root} lies in {len(where['extents'])} pieces: one mmap cannot show it")
    extent = where["extents"][0]
    fd = os.open(extent["path"], os.O_RDONLY | os.O_CLOEXEC)
    try:
        mapping = mmap.mmap(fd, extent["length"], mmap.MAP_SHARED, mmap.PROT_READ, offset=extent["offset"])
    finally:
        os.close(fd)
    return memoryview(mapping)[: where["size"]]
