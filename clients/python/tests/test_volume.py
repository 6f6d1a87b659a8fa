import gc
import os
import pickle
import sys
import unittest

import udax
from udax import locks
from tests.images import DATA, HOST, M, ImageTest, file, make_image, mkdir, pattern, put_entry, superblock, write_at

OTHER = "99999999-2222-4333-8444-555555555555"


class Reading(ImageTest):
    def volume(self, entries, **options):
        make_image(self.path, entries)
        volume = udax.open_volume(self.path, **options)
        self.addCleanup(volume.close)
        return volume

    def test_names_and_sizes(self):
        volume = self.volume([mkdir("d"), file("d/a", 5, [(DATA, 2 * M)]), file("b\udcff", 6, [(DATA + 2 * M, 2 * M)])])
        self.assertEqual(volume.listdir(), ["d", "b\udcff"])
        self.assertEqual(list(volume.walk()), [("/", ["d"], ["b\udcff"]), ("/d", [], ["a"])])
        self.assertEqual(volume.stat("d/a"), udax.Stat("/d/a", 3, False, 5, 0o644, 0, 0))
        self.assertEqual(volume.stat("/").ino, 1)
        self.assertTrue(volume.exists("/d") and not volume.exists("/x") and not volume.exists("/d/a/x"))

    def test_a_file_of_one_extent_is_its_memory(self):
        volume = self.volume([file("a", 3 * M + 5, [(DATA, 4 * M)])])
        data = pattern(3 * M + 5)
        write_at(self.path, DATA, data)
        view = volume.open("/a").buffer()
        self.assertEqual(bytes(view), data)
        self.assertTrue(view.readonly)
        write_at(self.path, DATA + 7, b"now")
        self.assertEqual(bytes(view[7:10]), b"now")

    def test_several_extents_are_stitched(self):
        volume = self.volume([file("a", 5 * M, [(DATA + 8 * M, 2 * M), (DATA, 4 * M)])])
        data = pattern(6 * M)
        write_at(self.path, DATA + 8 * M, data[: 2 * M])
        write_at(self.path, DATA, data[2 * M :])
        opened = volume.open("a")
        self.assertEqual(bytes(opened.buffer()), data[: 5 * M])
        self.assertEqual(opened.read(), data[: 5 * M])
        self.assertEqual(bytes(opened.buffer(2 * M - 3, 9)), data[2 * M - 3 : 2 * M + 6])
        self.assertEqual(
            [piece[1:] for piece in opened.pieces()], [(DATA + 8 * M, 2 * M), (DATA, 3 * M)]
        )

    def test_strips_are_stitched(self):
        strips = [(DATA + 12 * M, 4 * M), (DATA, 4 * M), (DATA + 24 * M, 4 * M)]
        volume = self.volume([file("s", 11 * M + 77, strips, chunk=2 * M)])
        data = pattern(12 * M)
        for chunk in range(6):
            write_at(self.path, strips[chunk % 3][0] + chunk // 3 * 2 * M, data[chunk * 2 * M : (chunk + 1) * 2 * M])
        opened = volume.open("/s")
        self.assertEqual(bytes(opened.buffer()), data[: 11 * M + 77])
        self.assertEqual(bytes(opened.buffer(3 * M + 1, 5 * M)), data[3 * M + 1 : 8 * M + 1])
        self.assertEqual(opened.pread(M, 11 * M), data[11 * M : 11 * M + 77])

    def test_a_stream_reads_seeks_and_ends(self):
        volume = self.volume([file("a", 10, [(DATA, 2 * M)])])
        write_at(self.path, DATA, b"0123456789")
        with volume.open("a") as opened:
            self.assertEqual((opened.read(4), opened.tell(), opened.read(), opened.read()), (b"0123", 4, b"456789", b""))
            into = bytearray(20)
            opened.seek(-3, os.SEEK_END)
            self.assertEqual((opened.readinto(into), bytes(into[:3])), (3, b"789"))
        with self.assertCode("EBADF"):
            opened.read()

    def test_new_entries_show_at_the_next_call(self):
        volume = self.volume([])
        put_entry(self.path, 0, *file("a", 1, [(DATA, 2 * M)]))
        self.assertEqual(volume.listdir(), ["a"])
        put_entry(self.path, 1, *mkdir("d"))
        self.assertEqual(volume.refresh(), 1)
        events = volume.watch(timeout=0.2)
        put_entry(self.path, 2, *mkdir("e"))
        self.assertEqual([stat.path for event in events for stat in event.entries], ["/e"])

    def test_numpy_sees_the_memory(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("numpy is not installed")
        volume = self.volume([file("a", 4000, [(DATA, 2 * M)])])
        write_at(self.path, DATA, numpy.arange(1000, dtype="<f4").tobytes())
        array = volume.open("a").numpy("<f4")
        self.assertEqual((array.shape, float(array.sum()), array.flags.writeable), ((1000,), 499500.0, False))
        write_at(self.path, DATA, b"\0\0\x80?")
        self.assertEqual(float(array[0]), 1.0)
        with self.assertCode("EINVAL"):
            volume.open("a").numpy("c16", offset=1)


class Lives(ImageTest):
    def setUp(self):
        super().setUp()
        make_image(self.path, [file("a", 4096, [(DATA, 2 * M)])])
        write_at(self.path, DATA, b"x" * 4096)

    def test_close_while_a_view_lives_is_buffererror(self):
        volume = udax.open_volume(self.path)
        opened = volume.open("a")
        view = opened.buffer()
        for handle in (opened, volume):
            with self.assertRaises(BufferError):
                handle.close()
        self.assertEqual(bytes(opened.buffer(0, 2)), b"xx")
        view.release()
        opened.close()
        volume.close()
        volume.close()
        with self.assertCode("EBADF"):
            volume.listdir()

    def test_a_view_outlives_whatever_gave_it(self):
        view = udax.open_volume(self.path).open("a").buffer()
        gc.collect()
        self.assertEqual(bytes(view), b"x" * 4096)

    def test_nothing_is_left_of_dropped_views(self):
        def state():
            gc.collect()
            with open("/proc/self/maps", encoding="utf-8") as maps:
                return len(os.listdir("/proc/self/fd")), sum(self.path in line for line in maps)

        before = state()
        for _ in range(20):
            udax.open_volume(self.path).open("a").buffer()
        self.assertEqual(state(), before)

    def test_formatted_anew_is_estale_and_views_show_zeroes(self):
        volume = udax.open_volume(self.path)
        opened = volume.open("a")
        view = opened.buffer()
        write_at(self.path, 0, superblock(fs_uuid=OTHER))
        for act in (volume.listdir, volume.refresh, opened.read, opened.buffer, lambda: volume.open("a")):
            with self.assertCode("ESTALE"):
                act()
        self.assertEqual(bytes(view), bytes(4096))
        del view
        volume.close()

    def test_a_log_that_shrank_is_estale(self):
        volume = udax.open_volume(self.path)
        self.addCleanup(volume.close)
        write_at(self.path, 2 * M + 32, bytes(16))
        with self.assertCode("ESTALE"):
            volume.refresh()

    def test_memory_that_was_cut_is_eio(self):
        volume = udax.open_volume(self.path)
        self.addCleanup(volume.close)
        opened = volume.open("a")
        os.truncate(self.path, DATA + 100)
        for act in (opened.read, opened.buffer, opened.check_memory):
            with self.assertCode("EIO"):
                act()
        os.truncate(self.path, M)
        with self.assertCode("EIO"):
            volume.refresh()

    def test_errors_are_those_of_python_too(self):
        with udax.open_volume(self.path) as volume:
            with self.assertRaises(FileNotFoundError) as missing:
                volume.open("/no")
            self.assertIn("does not exist", str(missing.exception))
            with self.assertRaises(IsADirectoryError):
                volume.open("/")
            with self.assertRaises(NotADirectoryError):
                volume.listdir("/a")
            with self.assertCode("EINVAL"):
                volume.stat("../a")
            with self.assertCode("EINVAL"):
                volume.open("a").buffer(4000, 200)
        again = pickle.loads(pickle.dumps(missing.exception))
        self.assertEqual((type(again), again.code, str(again)), (type(missing.exception), "ENOENT", str(missing.exception)))


class Writing(ImageTest):
    def setUp(self):
        super().setUp()
        make_image(self.path, [file("a", 4096, [(DATA, 2 * M)]), file("b", 9, [(DATA + 2 * M, 2 * M)], mode=0o444)])

    def test_is_refused_unless_asked(self):
        with udax.open_volume(self.path) as volume:
            with self.assertCode("EROFS"):
                volume.open("a", writable=True)
        with udax.open_volume(self.path, writable=True) as volume:
            opened = volume.open("a")
            with self.assertCode("EBADF"):
                opened.buffer(writable=True)
            with self.assertCode("EBADF"):
                opened.write(b"x")

    def test_stores_reach_the_memory(self):
        with udax.open_volume(self.path, writable=True) as volume:
            opened = volume.open("a", writable=True)
            view = opened.buffer(writable=True)
            view[:3] = b"abc"
            opened.seek(4094)
            self.assertEqual(opened.write(b"yz"), 2)
            with self.assertCode("ENOSPC"):
                opened.write(b"!")
            opened.flush()
            view.release()
            with open(self.path, "rb") as image:
                image.seek(DATA)
                data = image.read(4096)
            self.assertEqual((data[:3], data[-2:]), (b"abc", b"yz"))

    def test_others_are_told_of_stores(self):
        os.utime(self.path, (1, 1))
        with udax.open_volume(self.path, writable=True) as volume, open(self.path, "rb+") as other:
            volume.open("a").buffer().release()
            self.assertFalse(locks.conflict(other.fileno(), "exclusive", (2**54, 1)))
            volume.open("a", writable=True)
            self.assertTrue(locks.conflict(other.fileno(), "exclusive", (2**54, 1)))
            self.assertGreater(os.fstat(other.fileno()).st_mtime, 1)

    def test_is_for_the_owner_alone(self):
        os.environ["UDAX_SYSTEM_UUID"] = OTHER
        with udax.open_volume(self.path, writable=True) as volume, self.assertCode("EROFS"):
            volume.open("a", writable=True)
        with udax.open_volume(self.path, writable=True, client_writes=True) as volume:
            self.assertEqual(volume.open("a", writable=True).write(b"x"), 1)

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to become another user")
    def test_the_mode_of_the_file_counts(self):
        os.chmod(self.folder, 0o755)
        os.chmod(self.path, 0o666)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.setgroups([])
                os.setgid(12345)
                os.setuid(12345)
                volume = udax.open_volume(self.path, writable=True)
                try:
                    volume.open("b", writable=True)
                except PermissionError as error:
                    code = 0 if error.code == "EACCES" else 2
            finally:
                os._exit(code)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)

    def test_locks_exclude_other_handles(self):
        with udax.open_volume(self.path, writable=True) as one, udax.open_volume(self.path, writable=True) as other:
            lock = one.open("a", writable=True).lock(0, 8)
            self.assertIsNone(other.open("a", writable=True).lock(4, 8))
            lock.release()
            with other.open("a", writable=True).lock(4, 8):
                pass


class Hostile(ImageTest):
    def refused(self, code, entries=(), **options):
        make_image(self.path, list(entries), **options)
        with self.assertCode(code) as caught:
            udax.open_volume(self.path).close()
        return str(caught.error)

    def problems(self, *entries):
        make_image(self.path, list(entries))
        with udax.open_volume(self.path) as volume:
            return [problem.code for problem in volume.problems], volume.listdir()

    def test_superblocks(self):
        self.assertIn("no famfs magic", self.refused("EINVAL", head=b"\1" * 200))
        self.assertIn("version is 49", self.refused("EOPNOTSUPP", head=superblock(version=49)))
        self.assertIn("crc", self.refused("EBADMSG", head=superblock()[:-104].replace(b"\x22", b"\x23") + superblock()[-104:]))
        self.assertIn("allocation unit", self.refused("EBADMSG", head=superblock(unit=8192)))
        self.assertIn("power of two", self.refused("EBADMSG", head=superblock(log_length=9 * M)))
        self.assertIn("log ends at", self.refused("EBADMSG", head=superblock(log_length=64 * M)))
        self.refused("EFBIG", head=superblock(size=2**40, log_length=2**33))

    def test_things_that_are_no_memory(self):
        with self.assertCode("ENOENT"):
            udax.open_volume(self.path)
        with self.assertCode("ENOENT"):
            udax.open_volume(self.folder)
        os.mkfifo(self.path)
        with self.assertCode("ENODEV"):
            udax.open_volume(self.path)
        os.unlink(self.path)
        open(self.path, "wb").close()
        with self.assertCode("EINVAL"):
            udax.open_volume(self.path)
        with self.assertCode("ENODEV"):
            udax.open_volume("/dev/zero")

    def test_extents_and_names(self):
        good = (DATA, 2 * M)
        for code, bad in (
            ("extent-range", file("a", 5, [(62 * M, 4 * M)])),
            ("extent-offset", file("a", 5, [(2 * M, 2 * M)])),
            ("extent-alignment", file("a", 5, [(DATA + 1, 2 * M)])),
            ("extent-alignment", file("a", 5, [(DATA, 0)])),
            ("extent-count", file("a", 5, [])),
            ("extent-type", file("a", 5, [good], kind=7)),
            ("chunk-size", file("a", 5, [good], chunk=1)),
            ("file-size", file("a", 0, [good])),
            ("file-size", file("a", 2**63, [good])),
            ("file-size", file("a", 3 * M, [good])),
            ("file-size", file("a", 5 * M, [good, (DATA + 2 * M, 2 * M)], chunk=2 * M)),
            ("path-absolute", file("/etc/passwd", 5, [good])),
            ("path-dot", file("a/../../b", 5, [good])),
            ("path-component", file("a//b", 5, [good])),
            ("path-empty", file("", 5, [good])),
            ("path-junk", file(b"a\0b", 5, [good])),
            ("path-unterminated", file("a" * 80, 5, [good])),
            ("missing-parent", file("x/y", 5, [good])),
        ):
            with self.subTest(code=code, entry=bad[1][:80]):
                self.assertEqual(self.problems(bad), ([code], []))
        self.assertEqual(self.problems(file("a", 1, [good]), file("a", 1, [good])), (["duplicate-path"], ["a"]))
        self.assertEqual(self.problems(file("a", 1, [good]), file("a/b", 1, [good])), (["parent-not-directory"], ["a"]))

    def test_a_bad_entry_ends_reading_until_it_is_good(self):
        make_image(self.path, [mkdir("a"), mkdir("b"), mkdir("c")])
        write_at(self.path, 2 * M + 48 + 544 + 100, b"!")
        with udax.open_volume(self.path) as volume:
            self.assertEqual((volume.listdir(), volume.stopped.code), (["a"], "entry-crc"))
            (event,) = volume.watch(timeout=0.05)
            self.assertEqual(event.problem.code, "entry-crc")
            put_entry(self.path, 1, *mkdir("b"), publish=False)
            self.assertEqual((volume.listdir(), volume.stopped), (["a", "b", "c"], None))

    def test_wild_indices_end_at_the_log(self):
        make_image(self.path, [mkdir("a")])
        write_at(self.path, 2 * M + 40, (2**52).to_bytes(8, "little"))
        with udax.open_volume(self.path) as volume:
            self.assertEqual(volume.listdir(), ["a"])
        write_at(self.path, 2 * M + 40, b"\xff" * 8)
        with self.assertCode("EBADMSG"):
            udax.open_volume(self.path)

    def test_a_small_image_of_a_large_device_reads_as_far_as_it_goes(self):
        entries = [file("here", 5, [(DATA, 2 * M)]), file("beyond", 5, [(2**30, 2 * M)])]
        make_image(self.path, entries, size=DATA + 2 * M, head=superblock(size=2**32))
        with udax.open_volume(self.path) as volume:
            self.assertEqual(volume.open("here").read(), bytes(5))
            for act in ("read", "buffer"):
                with self.assertCode("EIO"):
                    getattr(volume.open("beyond"), act)()

    def test_millions_of_pieces_are_refused_at_once(self):
        strips = [(2**31, 2**36), (2**37, 2**36)]
        head = superblock(size=2**40, unit=4096)
        make_image(self.path, [file("a", 2**37, strips, chunk=4096)], size=2**40, head=head)
        with udax.open_volume(self.path) as volume:
            with self.assertCode("ENOMEM"):
                volume.open("a").buffer()
            self.assertEqual(bytes(volume.open("a").buffer(2**20, 10000)), bytes(10000))


if __name__ == "__main__":
    sys.exit(unittest.main())
