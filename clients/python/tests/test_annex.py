"""What the log cannot say: names, links, times and contents of the annex, as udax reads them; and an annex that is torn, or lies."""

import os
import struct
import unittest

import udax
from tests.annexes import (
    ATTRIBUTES,
    BIND,
    EXCHANGE,
    INO,
    MAKE,
    RENAME,
    REPLACE,
    TIMES,
    UNBIND,
    XATTR,
    AnnexWriter,
    golden,
    header,
    make_annexed,
)
from tests.images import DATA, M, ImageTest, file, make_image, mkdir, put_entry, write_at

OTHER = "99999999-2222-4333-8444-555555555555"
WHOLE = ["/a", "/d", "/d/e"]


def names_of(volume):
    found = []
    for top, directories, files in volume.walk():
        found += [f"{top.rstrip('/')}/{name}" for name in (*directories, *files)]
    return sorted(found)


def _nanoseconds(times, name):
    found = (times or {}).get(name)
    return found and found["seconds"] * 10**9 + found["nanoseconds"]


class Golden(ImageTest):
    def rows(self, expected):
        for row in expected:
            yield row["path"], (
                row["ino"],
                row["type"],
                row["size"],
                row["mode"],
                row["uid"],
                row["gid"],
                row["nlink"],
                [_nanoseconds(row["times"], name) for name in ("atime", "mtime", "ctime")],
                row.get("target"),
                [tuple(extent.values()) for extent in row.get("extents", [])],
                row.get("xattrs", {}),
            )

    def found(self, volume):
        for path in names_of(volume):
            stat = volume.lstat(path)
            kind = "directory" if stat.is_dir else "symlink" if stat.is_link else "file"
            times = stat.times or udax.Times()
            extents, xattrs = [], {}
            if kind == "file":
                extents = [(each.devindex, each.offset, each.length) for each in volume.open(path).fmap.extents]
            if kind != "symlink":
                xattrs = {name: volume.getxattr(path, name).decode() for name in volume.listxattr(path)}
            yield path, (
                stat.ino,
                kind,
                stat.size,
                stat.mode,
                stat.uid,
                stat.gid,
                stat.nlink,
                [times.atime_ns, times.mtime_ns, times.ctime_ns],
                stat.target,
                extents,
                xattrs,
            )

    def test_every_record_makes_the_tree_that_udax_makes(self):
        expected = golden(self.path)
        with udax.open_volume(self.path) as volume:
            self.assertEqual(dict(self.found(volume)), dict(self.rows(expected["tree"])))
            self.assertEqual(volume.tree.annex.records, expected["records"])
            told = [{"code": each.code, "record": each.record, "offset": each.offset} for each in volume.problems]
            self.assertEqual(told, expected["problems"])

    def test_plain_shows_what_the_log_says(self):
        expected = golden(self.path)
        with udax.open_volume(self.path, plain=True) as volume:
            self.assertEqual(dict(self.found(volume)), dict(self.rows(expected["plain"])))
            self.assertEqual(volume.problems, [])


class Names(ImageTest):
    def opened(self, **options):
        volume = udax.open_volume(self.path, **options)
        self.addCleanup(volume.close)
        return volume

    def test_links_are_followed_by_all_but_lstat_and_readlink(self):
        writer = make_annexed(self.path)
        for name, target, directory in ((b"soft", b"../a", 2), (b"up", b"/d", 1), (b"dead", b"none", 1), (b"loop", b"loop", 1)):
            writer.put(MAKE, directory=directory, name=name, value=target, flags=2, uid=3, mode=0o777)
        write_at(self.path, DATA + 2 * M, b"0123456789")
        volume = self.opened()
        self.assertEqual(volume.stat("/up/soft"), volume.stat("/a"))
        self.assertEqual(volume.open("/up/soft").read(), b"0123456789")
        link = volume.lstat("/up/soft")
        self.assertEqual((link.path, link.target, link.size, link.mode, link.uid), ("/d/soft", "../a", 4, 0o777, 3))
        self.assertEqual((link.is_link, link.st_mode), (True, 0o120777))
        self.assertEqual(volume.readlink("up"), "/d")
        self.assertEqual((volume.listdir("/up"), volume.lstat("/up/").is_dir), (["e", "soft"], True))
        self.assertEqual(list(volume.walk()), [("/", ["d", "up"], ["a", "dead", "loop"]), ("/d", ["e"], ["soft"]), ("/d/e", [], [])])
        self.assertEqual([volume.exists(path) for path in ("/up", "/dead", "/loop")], [True, False, False])
        for code, act in (
            ("ENOENT", lambda: volume.stat("/dead")),
            ("ELOOP", lambda: volume.stat("/loop")),
            ("ELOOP", lambda: volume.open("/loop")),
            ("EINVAL", lambda: volume.readlink("/a")),
            ("EISDIR", lambda: volume.open("/up")),
            ("ENOTDIR", lambda: volume.stat("/up/soft/x")),
            ("ENOTDIR", lambda: volume.stat("/a/")),
        ):
            with self.subTest(code=code), self.assertCode(code):
                act()

    def test_an_empty_file_is_an_empty_buffer(self):
        make_annexed(self.path).put(MAKE, directory=1, name=b"empty", flags=1, mode=0o640)
        volume = self.opened(writable=True)
        opened = volume.open("/empty", writable=True)
        self.assertEqual((opened.size, bytes(opened.buffer()), opened.read(), opened.pieces()), (0, b"", b"", []))
        self.assertEqual((opened.fmap.extents, opened.readinto(bytearray(4))), ((), 0))
        opened.check_memory()
        opened.flush()
        with self.assertCode("ENOSPC"):
            opened.write(b"x")
        try:
            import numpy  # noqa: F401
        except ImportError:
            return
        self.assertEqual(volume.open("/empty").numpy("<f4").shape, (0,))

    def test_attributes_of_users(self):
        writer = make_annexed(self.path)
        writer.put(XATTR, ino=4, name=b"user.b", value=b"1")
        writer.put(XATTR, ino=4, name=b"user.a", value=b"\0" * 65536)
        volume = self.opened()
        self.assertEqual((volume.listxattr("/a"), volume.getxattr("/a", "user.b")), (["user.a", "user.b"], b"1"))
        self.assertEqual((len(volume.getxattr("/a", "user.a")), volume.listxattr("/d")), (65536, []))
        with self.assertCode("ENODATA"):
            volume.getxattr("/a", "user.c")
        with self.assertCode("EOPNOTSUPP"):
            volume.getxattr("/a", "security.b")

    def test_refresh_follows_log_and_annex(self):
        writer = make_annexed(self.path)
        volume = self.opened()
        self.assertEqual(names_of(volume), WHOLE)
        # The record comes after a log entry that this reader has not seen.
        put_entry(self.path, 5, *mkdir("new"))
        writer.put(RENAME, base=6, ino=4, directory=1, name=b"a", new_directory=7, new_name=b"x")
        self.assertEqual(volume.refresh(), 2)
        self.assertEqual(names_of(volume), ["/d", "/d/e", "/new", "/new/x"])
        self.assertEqual((volume.stat("/new/x").ino, volume.refresh()), (4, 0))
        # A name that the annex took is not given back by the log.
        put_entry(self.path, 6, *file("a", 3, [(DATA + 6 * M, 2 * M)]))
        self.assertEqual((volume.exists("/a"), volume.problems[0].code), (False, "duplicate-path"))

    def test_an_annex_that_comes_later_and_a_second_one(self):
        plain = [mkdir("d"), file("a", 10, [(DATA + 2 * M, 2 * M)])]
        make_image(self.path, plain)
        volume = self.opened()
        self.assertEqual(volume.listdir(), ["d", "a"])
        writer = AnnexWriter(self.path, DATA)
        put_entry(self.path, 2, *file(".udax-annex", 2 * M, [(DATA, 2 * M)]))
        self.assertEqual(volume.listdir(), ["d", "a"])
        writer.put(RENAME, base=3, ino=3, directory=1, name=b"a", new_directory=1, new_name=b"b")
        self.assertEqual(volume.listdir(), ["d", "b"])
        second = AnnexWriter(self.path, DATA + 4 * M, 1, first=1)
        put_entry(self.path, 3, *file(".udax-annex.1", 2 * M, [(DATA + 4 * M, 2 * M)]))
        self.assertEqual(volume.listdir(), ["d", "b"])
        second.put(UNBIND, base=4, ino=3, directory=1, name=b"b")
        self.assertEqual((volume.listdir(), volume.problems), (["d"], []))
        with udax.open_volume(self.path) as other:
            self.assertEqual((other.listdir(), other.tree.annex.records), (["d"], 2))

    def test_many_records_are_read_in_windows(self):
        writer = make_annexed(self.path)
        for number in range(3000):
            writer.put(MAKE, directory=1, name=b"%04d" % number, flags=1, publish=False)
        for number in range(8):
            writer.put(XATTR, ino=4, name=b"user.%d" % number, value=b"v" * 65536, publish=False)
        writer.publish()
        volume = self.opened()
        self.assertEqual((len(volume.listdir()), len(volume.listxattr("/a")), volume.problems), (3002, 8, []))

    def test_open_handles_keep_their_bytes(self):
        more = [file("x", 5, [(DATA + 6 * M, 2 * M)])]
        writer = make_annexed(self.path, more)
        write_at(self.path, DATA + 2 * M, b"before....")
        write_at(self.path, DATA + 6 * M, b"after")
        volume = self.opened()
        opened = volume.open("/a")
        view = opened.buffer()
        writer.put(REPLACE, base=6, ino=4, other=7)
        self.assertEqual((volume.open("/a").read(), volume.stat("/a").ino), (b"after", 4))
        writer.put(UNBIND, base=6, ino=4, directory=1, name=b"a")
        self.assertFalse(volume.exists("/a"))
        self.assertEqual((bytes(view), opened.read()), (b"before....", b"before...."))
        self.assertEqual(bytes(opened.buffer(0, 3)), b"bef")

    def test_watch_tells_what_is_new_removed_and_renamed(self):
        writer = make_annexed(self.path)
        volume = self.opened()
        events = volume.watch(timeout=0.05)
        put_entry(self.path, 5, *file("x", 5, [(DATA + 6 * M, 2 * M)]))
        writer.put(RENAME, base=6, ino=4, directory=1, name=b"a", new_directory=2, new_name=b"b")
        writer.put(MAKE, base=6, directory=1, name=b"soft", value=b"x", flags=2)
        writer.put(UNBIND, base=6, ino=3, directory=2, name=b"e")
        writer.put(UNBIND, base=6, ino=77, directory=2, name=b"never")
        found = list(events)
        self.assertEqual([(each.path, each.target) for each in found[0].entries], [("/x", None), ("/soft", "x")])
        self.assertEqual(found[1].renamed, (udax.RenamedName("/a", "/d/b", 4),))
        self.assertEqual(found[2].removed, (udax.RemovedName("/d/e", 3),))
        self.assertEqual([each.problem and each.problem.code for each in found], [None, None, None, "annex-name"])
        events = volume.watch(timeout=0.05)
        writer.put(EXCHANGE, base=6, ino=2, other=7, directory=1, name=b"d", new_directory=1, new_name=b"x")
        writer.put(BIND, base=6, ino=4, directory=1, name=b"soft", other=INO + 2)
        (new, renamed, removed) = events
        self.assertEqual([(each.path, each.nlink) for each in new.entries], [("/soft", 2)])
        self.assertEqual(renamed.renamed, (udax.RenamedName("/d", "/x", 2), udax.RenamedName("/x", "/d", 7)))
        self.assertEqual(removed.removed, (udax.RemovedName("/soft", INO + 2),))


class Damage(ImageTest):
    """It is told by record and byte, the rest of the tree is served, and nothing is raised into a reader."""

    def seen(self):
        with udax.open_volume(self.path) as volume:
            for problem in volume.problems:
                self.assertRegex(problem.message, r"annex 0.*byte \d+|annex \d")
            return names_of(volume), [problem.code for problem in volume.problems]

    def test_a_record_that_cannot_be_is_skipped_and_those_behind_it_count(self):
        root = {"directory": 1}
        link = {"flags": 2, "value": b"a"}
        for what, code, kind, fields in (
            ("an inode that the log never had", "annex-inode", BIND, {"ino": 77, "name": b"x", **root}),
            ("an object that no record made", "annex-inode", BIND, {"ino": INO + 77, "name": b"x", **root}),
            ("a number of 64 bits", "annex-inode", BIND, {"ino": 2**64 - 1, "name": b"x", **root}),
            ("an entry behind its base", "annex-inode", BIND, {"ino": 7, "name": b"x", **root}),
            ("an annex", "annex-inode", BIND, {"ino": 6, "name": b"x", **root}),
            ("a directory that is none", "annex-directory", BIND, {"ino": 4, "directory": 4, "name": b"x"}),
            ("a directory of 64 bits", "annex-directory", BIND, {"ino": 4, "directory": 2**63, "name": b"x"}),
            ("a second name of a directory", "annex-link", BIND, {"ino": 2, "name": b"x", **root}),
            ("a name that is not there", "annex-name", UNBIND, {"ino": 4, "name": b"x", **root}),
            ("a name that means something else", "annex-name", UNBIND, {"ino": 2, "name": b"a", **root}),
            ("a directory in itself", "annex-cycle", RENAME,
             {"ino": 2, "name": b"d", "new_directory": 3, "new_name": b"x", **root}),
            ("an exchange with what is above", "annex-cycle", EXCHANGE,
             {"ino": 3, "directory": 2, "name": b"e", "new_directory": 1, "new_name": b"d", "other": 2}),
            ("a taken name", "annex-name", MAKE, {"name": b"a", "flags": 1, **root}),
            ("..", "annex-name", MAKE, {"name": b"..", **link, **root}),
            (".", "annex-name", BIND, {"ino": 4, "name": b".", **root}),
            ("a slash", "annex-name", BIND, {"ino": 4, "name": b"../../etc", **root}),
            ("a NUL", "annex-name", BIND, {"ino": 4, "name": b"a\0b", **root}),
            ("no name", "annex-name", BIND, {"ino": 4, "name": b"", **root}),
            ("a name of 256 bytes", "annex-name", BIND, {"ino": 4, "name": b"n" * 256, **root}),
            ("the name of an annex", "annex-name", BIND, {"ino": 4, "name": b".udax-annex.7", **root}),
            ("an empty target", "annex-target", MAKE, {"name": b"x", "flags": 2, **root}),
            ("something unknown made", "annex-make", MAKE, {"name": b"x", "flags": 4, **root}),
            ("content of the annex", "annex-content", REPLACE, {"ino": 4, "other": INO}),
            ("content of a directory", "annex-inode", REPLACE, {"ino": 2, "other": 4}),
            ("an attribute of the system", "annex-xattr", XATTR, {"ino": 4, "name": b"security.x", "value": b"1"}),
            ("times of nobody", "annex-inode", TIMES, {"ino": 99, "value": bytes(48), "flags": 7}),
            ("a mode of nobody", "annex-inode", ATTRIBUTES, {"ino": 0, "flags": 1}),
            ("an unknown type", "annex-type", 10, {}),
            ("a base below that before", "annex-base", BIND, {"ino": 4, "name": b"x", "base": 1, **root}),
        ):
            with self.subTest(what):
                writer = make_annexed(self.path, [mkdir("late")])
                writer.put(kind, **fields)
                writer.put(MAKE, name=b"behind", **link, **root)
                self.assertEqual(self.seen(), (["/a", "/behind", "/d", "/d/e", "/late"], [code]))

    def test_a_record_that_fails_its_checks_stops_until_it_is_good(self):
        bind = {"ino": 4, "directory": 1, "name": b"x"}
        for code, fields in (
            ("annex-record-crc", {"fs": OTHER}),
            ("annex-base", {"base": 6}),
            ("annex-base", {"base": 2**64 - 1}),
            ("annex-span", {"slots": 0}),
            ("annex-span", {"slots": 1}),
            ("annex-span", {"slots": 3}),
            ("annex-span", {"slots": 2**31}),
            ("annex-seqnum", {"seqnum": 9}),
        ):
            with self.subTest(code=code, fields=fields):
                writer = make_annexed(self.path)
                writer.put(BIND, **bind, **fields)
                self.assertEqual(self.seen(), (WHOLE, [code]))
                with udax.open_volume(self.path) as volume:
                    self.assertEqual((volume.stopped.code, volume.stopped.record), (code, 1))
                    writer.seqnum, writer.slot = 1, 2
                    writer.put(BIND, **bind)
                    self.assertEqual((names_of(volume), volume.problems), ([*WHOLE, "/x"], []))

    def test_a_torn_record_and_wild_counters(self):
        writer = make_annexed(self.path)
        writer.put(BIND, ino=4, directory=1, name=b"x")
        write_at(self.path, DATA + 4096 + 128 + 104, b"\0")
        self.assertEqual(self.seen(), (WHOLE, ["annex-record-crc"]))
        writer = make_annexed(self.path)
        writer.publish(0xFFFFFFFF)
        self.assertEqual(self.seen(), (WHOLE, ["annex-seqnum"]))
        writer.publish(2**64 - 1)
        self.assertEqual(self.seen(), (["/a", "/d", "/d/e", "/gone"], ["annex-number"]))
        writer.publish(1)
        self.assertEqual(self.seen(), (["/a", "/d", "/d/e", "/gone"], ["annex-span"]))

    def test_next_index_that_went_back_stops(self):
        writer = make_annexed(self.path)
        with udax.open_volume(self.path) as volume:
            writer.publish(0)
            self.assertEqual((names_of(volume), volume.stopped.code), (WHOLE, "annex-index"))
            (event,) = volume.watch(timeout=0.05)
            self.assertEqual(event.problem.code, "annex-index")

    def test_an_annex_whose_header_is_wrong_is_not_read(self):
        names = ["/a", "/d", "/d/e", "/gone"]
        for code, head in (
            ("annex-magic", header(magic=1)),
            ("annex-crc", header()[:48] + bytes(8) + header()[56:]),
            ("annex-version", header(version=2)),
            ("annex-uuid", header(fs=OTHER)),
            ("annex-number", header(number=1)),
            ("annex-number", header(slots=2**60)),
            ("annex-slots", header(slots=0)),
            ("annex-slots", header(slots=10**6)),
            ("annex-first", header(first=2**33)),
            ("annex-first", header(first=5)),
        ):
            with self.subTest(code=code):
                make_annexed(self.path)
                write_at(self.path, DATA, head)
                self.assertEqual(self.seen(), (names, [code]))
                with udax.open_volume(self.path) as volume:
                    write_at(self.path, DATA, header())
                    write_at(self.path, DATA + 64, struct.pack("<2Q", 1, 2))
                    self.assertEqual((names_of(volume), volume.problems), (WHOLE, []))

    def test_an_annex_that_is_no_file_or_in_pieces(self):
        runs = [(DATA, 2 * M), (DATA + 4 * M, 2 * M)]
        for code, odd in (
            ("annex-kind", mkdir(".udax-annex")),
            ("annex-extents", file(".udax-annex", 4 * M, runs)),
            ("annex-extents", file(".udax-annex", 4096, runs[:1])),
            ("annex-magic", file(".udax-annex", 2 * M, runs[:1])),
        ):
            with self.subTest(code=code):
                make_image(self.path, [mkdir("d"), odd])
                self.assertEqual(self.seen(), (["/d"], [code]))

    def test_memory_of_an_annex_that_was_cut_is_eio(self):
        make_annexed(self.path)
        with udax.open_volume(self.path) as volume:
            os.truncate(self.path, DATA)
            with self.assertCode("EIO"):
                volume.listdir()


if __name__ == "__main__":
    unittest.main()
