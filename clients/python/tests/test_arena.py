import os
import signal
import struct
import sys
import threading
import time
import unittest
import zlib

import udax
from tests.images import DATA, M, ImageTest, file, make_image, write_at
from udax.arena.layout import BUCKET_SIZE, CONTROL, hash_key
from udax.kv import KVBackend


def make_arena(path, size=M, slots=32, policy=0, pins=16, members=4, key=64, lease=2000):
    """Writes the header that udax makes, into a file of zeroes."""
    make_image(path, [file("kv", size, [(DATA, -(-size // (2 * M)) * 2 * M)])])
    up = lambda value, to: -(-value // to) * to
    buckets = 1
    while buckets * BUCKET_SIZE < slots * 2:
        buckets *= 2
    slot = up(80 + key, 64)
    part = 4096 + members * (64 + up(4 * pins, 64)) + up(slots, 64) + buckets * 64 + slots * slot + (2 * slots + 2) * 32
    part = up(part, 4096)
    heap = 4096 + part
    head = struct.pack(
        "<8sII16sQIIIIIIIIQQQIIII", b"UDAXARNA", 1, 128, bytes(range(16)), size, 1, members, pins, slots, slot, key,
        buckets, 64, part, heap, (size - heap) // 64 * 64, policy, lease, 1, 2,
    )  # fmt: skip
    write_at(path, DATA, head + struct.pack("<I", zlib.crc32(head)))


class ArenaTest(ImageTest):
    def make(self, **shape):
        make_arena(self.path, **shape)
        self.volume = udax.open_volume(self.path, writable=True)
        self.addCleanup(self.volume.close)
        return self.open()

    def open(self):
        arena = udax.open_arena(self.volume, "/kv")
        self.addCleanup(arena.close)
        return arena


class Arenas(ArenaTest):
    def test_the_hash_is_that_of_udax(self):
        # The same values stand in test/arena/layout.test.ts.
        self.assertEqual([hash_key(key, 1, 2) for key in (b"a", b"abcd", b"abcde", "\u00e4".encode(), bytes(32))], HASHES)

    def test_values_come_back_whole(self):
        arena = self.make()
        for size in (1, 63, 64, 65, 100_000):
            arena.put(f"k{size}", bytes(i * 7 % 256 for i in range(size)))
        for size in (1, 63, 64, 65, 100_000):
            with arena.get(f"k{size}") as value:
                self.assertEqual(value.bytes, bytes(i * 7 % 256 for i in range(size)))
                self.assertTrue(value.bytes.readonly)
        self.assertIsNone(arena.get("absent"))
        self.assertEqual(sorted(entry.key for entry in arena.list("k6")), [b"k63", b"k64", b"k65"])

    def test_a_reservation_shows_only_after_commit(self):
        arena = self.make()
        with arena.reserve("a", 100) as space:
            space.bytes[:] = b"x" * 100
            self.assertFalse(arena.has("a"))
            space.commit()
        self.assertEqual(arena.read("a"), b"x" * 100)
        with arena.reserve("b", 1000):
            pass
        self.assertEqual(arena.stats()["reserved"], 0)
        with self.assertCode("EEXIST"):
            arena.put("a", b"y", if_absent=True)

    def test_a_pinned_value_is_not_reused(self):
        arena = self.make(policy=1)
        heap = arena.stats()["heap"]
        arena.put("a", b"1" * (heap // 2 + 64))
        held = arena.get("a")
        self.assertTrue(arena.delete("a"))
        try:
            arena.put("b", b"2" * (heap // 2))
            message = ""
        except udax.UdaxError as error:
            message = str(error)
        self.assertRegex(message, rf"pid {os.getpid()} .*\(EBUSY\)")
        self.assertEqual(held.bytes[0], ord("1"))
        with self.assertCode("ESTALE"):
            arena.open(held.reference)
        held.release()
        arena.put("b", b"2" * (heap // 2))
        self.assertEqual(arena.stats()["limbo"], 0)

    def test_a_full_arena_refuses_or_evicts(self):
        arena = self.make(policy=0)
        heap = arena.stats()["heap"]
        arena.put("all", bytes(heap))
        with self.assertCode("ENOSPC"):
            arena.put("one", b"1")
        with self.assertCode("EFBIG"):
            arena.put("more", bytes(heap + 1))
        self.assertEqual(arena.evict(1), heap)
        for number in range(32):
            arena.put(f"k{number}", b"1")
        with self.assertCode("ENOSPC"):
            arena.put("k32", b"1")

    def test_an_object_expires(self):
        arena = self.make()
        arena.put("short", b"1", ttl=0.03)
        self.assertTrue(arena.has("short"))
        time.sleep(0.05)
        self.assertFalse(arena.has("short"))
        self.assertEqual(arena.evict(0), 64)

    def test_a_killed_member_leaves_nothing(self):
        arena = self.make()
        arena.put("a", b"1" * 1000)
        ready, told = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                other = udax.open_arena(udax.open_volume(self.path, writable=True), "/kv")
                other.get("a")
                other.reserve("b", 5000)
                # As a writer that died in the middle leaves it.
                other._words[other._control + CONTROL["dirty"]] = 9
                os.write(told, b"x")
                signal.pause()
            finally:
                os._exit(1)
        os.read(ready, 1)
        self.assertEqual(arena.stats()["reserved"], 5056)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        arena.delete("a")
        arena.reap()
        stats = arena.stats()
        self.assertEqual((stats["reserved"], stats["limbo"], stats["free"]), (0, 0, stats["heap"]))

    def test_threads_share_a_handle(self):
        arena = self.make(policy=2)
        wrong = []

        def work(number):
            for turn in range(60):
                arena.put(f"{number}-{turn % 5}", bytes([number]) * 900)
                with arena.get(f"{number}-{turn % 5}") or arena.reserve("x", 1) as value:
                    if set(value.bytes[:]) != {number}:
                        wrong.append((number, turn))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_what_is_no_arena(self):
        make_image(self.path, [file("kv", M, [(DATA, 2 * M)])])
        with udax.open_volume(self.path, writable=True) as volume:
            with self.assertCode("EINVAL"):
                udax.open_arena(volume, "/kv")
        make_arena(self.path)
        write_at(self.path, DATA + 8, struct.pack("<I", 2))
        with udax.open_volume(self.path, writable=True) as volume, self.assertCode("EOPNOTSUPP"):
            udax.open_arena(volume, "/kv")


class Backends(ArenaTest):
    def test_tensors_are_shared_without_a_copy(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("numpy is not installed")
        self.make(size=2 * M, policy=1).close()
        backend, other = KVBackend(self.volume, "/kv"), KVBackend(self.volume, "/kv")
        self.addCleanup(backend.close)
        self.addCleanup(other.close)
        tensors = [numpy.full((2, 4, 8), number, dtype="<f2") for number in range(5)]
        keys = [f"model@{number}@chunk" for number in range(5)]
        self.assertEqual(backend.batched_put(keys, tensors), 5)
        self.assertEqual(other.batched_contains(keys + ["none"]), 5)
        found = other.batched_get(keys)
        for each, tensor in zip(found, tensors):
            self.assertTrue((each.numpy() == tensor).all())
            self.assertEqual(each.numpy().shape, (2, 4, 8))
            self.assertEqual(each.numpy().__array_interface__["data"][0] % 64, 0)
            each.release()

    def test_allocate_then_commit_pin_and_remove(self):
        self.make(policy=1).close()
        backend = KVBackend(self.volume, "/kv")
        self.addCleanup(backend.close)
        space = backend.allocate("k", (3, 5), "<i4")
        self.assertFalse(backend.contains("k"))
        space.buffer[:] = bytes(range(60))
        space.commit()
        self.assertTrue(backend.contains("k", pin=True))
        found = backend.get("k")
        self.assertEqual((found.shape, found.dtype, bytes(found.buffer)), ((3, 5), "<i4", bytes(range(60))))
        found.release()
        self.assertIsNone(backend.allocate("large", (M,)))
        self.assertTrue(backend.unpin("k"))
        self.assertFalse(backend.unpin("k"))
        self.assertEqual(backend.batched_remove(["k", "none"]), 1)
        self.assertEqual(backend.key_of("x" * 100), backend.key_of("x" * 100))
        aborted = backend.allocate("gone", (8,))
        aborted.release()
        self.assertFalse(backend.contains("gone"))


HASHES = [(208844226, 1515927588), (3545085118, 3612163163), (350001191, 214982291), (559203429, 4005077597), (44273632, 681588399)]

if __name__ == "__main__":
    sys.exit(unittest.main())
