"""Makes annexes for the tests (docs/annex.md), and stores them in images. Written for the tests alone."""

import gzip
import json
import os
import struct
import uuid
import zlib

from tests.images import DATA, M, file, make_image, mkdir, write_at

FS = "11111111-1111-4111-8111-111111111111"
INO = 2**32
CONFORMANCE = os.path.join(os.path.dirname(__file__), "../../../conformance/annex")
BIND, UNBIND, RENAME, EXCHANGE, MAKE, ATTRIBUTES, TIMES, XATTR, REPLACE = range(1, 10)


def header(number=0, slots=None, first=0, fs=FS, length=2 * M, version=1, magic=0x6E6178616475):
    slots = (length - 4096) // 64 if slots is None else slots
    head = struct.pack("<QII16sQQ", magic, version, number, uuid.UUID(fs).bytes, slots, first)
    return (head + struct.pack("<Q", zlib.crc32(head))).ljust(64, b"\0") + struct.pack("<2Q", first, 0)


def record(seqnum, kind, base, fs=FS, slots=None, when=(1, 2), **fields):
    texts = [fields.get(name, b"") for name in ("name", "new_name", "value")]
    body = b"".join(texts)
    if slots is None:
        slots = -(-(104 + len(body)) // 64)
    numbers = [fields.get(name, 0) for name in ("ino", "directory", "other", "new_directory")]
    owner = [fields.get(name, 0) for name in ("mode", "uid", "gid", "flags")]
    data = struct.pack("<2Q2I4Q4IQ4I", seqnum, base, kind, slots, *numbers, *owner, *when, *map(len, texts)) + body
    crc = zlib.crc32(data, zlib.crc32(uuid.UUID(fs).bytes))
    data = struct.pack("<Q", crc) + data
    return data.ljust(-(-len(data) // 64) * 64, b"\0")


class AnnexWriter:
    """Appends records to one annex of an image, as a host that follows no rule would."""

    def __init__(self, path, at, number=0, first=0, head=None):
        self.path, self.at, self.seqnum, self.slot = path, at, first, 0
        write_at(path, at, header(number, first=first) if head is None else head)

    def put(self, kind, base=5, publish=True, seqnum=None, **fields):
        data = record(self.seqnum if seqnum is None else seqnum, kind, base, **fields)
        write_at(self.path, self.at + 4096 + 64 * self.slot, data)
        self.seqnum += 1
        self.slot += len(data) // 64
        if publish:
            self.publish()

    def publish(self, index=None):
        write_at(self.path, self.at + 64, struct.pack("<2Q", self.seqnum, self.slot if index is None else index))


def entries():
    """d, d/e, a, gone, and an annex: inodes 2 to 6."""
    return [
        mkdir("d"),
        mkdir("d/e"),
        file("a", 10, [(DATA + 2 * M, 2 * M)]),
        file("gone", 10, [(DATA + 4 * M, 2 * M)]),
        file(".udax-annex", 2 * M, [(DATA, 2 * M)], mode=0o600),
    ]


def make_annexed(path, more=()):
    """An image with those entries, in whose annex `gone` was removed."""
    make_image(path, entries() + list(more))
    writer = AnnexWriter(path, DATA)
    writer.put(UNBIND, ino=5, directory=1, name=b"gone")
    return writer


def golden(path):
    """Stores the golden image. Returns what it holds."""
    with open(os.path.join(CONFORMANCE, "every-record.json"), encoding="utf-8") as answer:
        expected = json.load(answer)
    with gzip.open(os.path.join(CONFORMANCE, "every-record.img.gz")) as packed, open(path, "wb") as image:
        image.write(packed.read())
        image.truncate(expected["full_len"])
    return expected
