"""Makes famfs images for the tests: a superblock, a log, and the bytes of files. Written for the tests alone."""

import os
import struct
import tempfile
import unittest
import uuid
import zlib

M = 2**20
HOST = "11111111-2222-4333-8444-555555555555"
DATA = 10 * M


def _crc(data):
    return struct.pack("<Q", zlib.crc32(data))


def superblock(size=64 * M, fs_uuid="11111111-1111-4111-8111-111111111111", unit=2 * M, log_length=8 * M, version=48):
    head = struct.pack("<5Q2I", 0x87B282FF, version, 2 * M, log_length, unit, 2, 2)
    head += uuid.UUID(fs_uuid).bytes + uuid.UUID("22222222-2222-4222-8222-222222222222").bytes + uuid.UUID(HOST).bytes
    return head + _crc(head) + struct.pack("<I4xQ16s64s", 0, size, b"", b"/dev/dax0.0")


def log_header(entries, log_length=8 * M):
    head = struct.pack("<3Q", 0xBADCAFEF00D, log_length, (log_length - 48) // 544 - 1)
    return head + _crc(head) + struct.pack("<2Q", entries, entries)


def entry(index, kind, meta):
    body = struct.pack("<QI4x", index, kind) + meta.ljust(520, b"\0")
    return body + _crc(body)


def mkdir(path, mode=0o755):
    return 1, struct.pack("<III80s", 0, 0, mode, path.encode("utf-8", "surrogateescape"))


def file(path, size, extents, chunk=0, mode=0o644, uid=0, gid=0, kind=None):
    name = path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")
    meta = struct.pack("<QIIII80s", size, 2, uid, gid, mode, name)
    runs = b"".join(struct.pack("<3Q", 0, offset, length) for offset, length in extents)
    if kind is None:
        kind = 1 if chunk else 0
    meta += struct.pack("<I4xI4x", kind, 1 if chunk else len(extents))
    return 0, meta + (struct.pack("<2Q", len(extents), chunk) if chunk else b"") + runs


def pattern(size, seed=1):
    block = bytes((i * 7 + seed + i // 251) % 256 for i in range(65536))
    return (block * (size // 65536 + 1))[:size]


def put_entry(path, index, kind, meta, publish=True):
    with open(path, "r+b") as image:
        image.seek(2 * M + 48 + 544 * index)
        image.write(entry(index, kind, meta))
        if publish:
            image.seek(2 * M + 32)
            image.write(struct.pack("<2Q", index + 1, index + 1))


def make_image(path, entries, size=64 * M, head=None):
    with open(path, "wb") as image:
        image.truncate(size)
        image.write(head or superblock(size))
        image.seek(2 * M)
        image.write(log_header(0))
    for index, (kind, meta) in enumerate(entries):
        put_entry(path, index, kind, meta)
    return path


def write_at(path, offset, data):
    with open(path, "r+b") as image:
        image.seek(offset)
        image.write(data)


class ImageTest(unittest.TestCase):
    """A test with a directory of its own, and this host as the owner of its images."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="udax-python-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(self.folder, "pool.img")
        for name, value in (("UDAX_SYSTEM_UUID", HOST), ("UDAX_ROOT", os.path.join(self.folder, "root"))):
            before = os.environ.get(name)
            os.environ[name] = value
            self.addCleanup(_restore, name, before)

    def assertCode(self, code):
        return _Code(self, code)


def _restore(name, before):
    if before is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = before


class _Code:
    def __init__(self, test, code):
        self.test, self.code = test, code

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        self.test.assertIsNotNone(error, f"nothing was raised, want {self.code}")
        if not isinstance(error, OSError):
            return False
        self.test.assertEqual(getattr(error, "code", None), self.code, str(error))
        self.error = error
        return True
