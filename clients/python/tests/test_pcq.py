import struct

import udax
from tests.images import DATA, M, ImageTest, file, make_image, write_at

BUCKETS, SIZE = 4, 64


def make_queue(path, buckets=BUCKETS, size=SIZE):
    total = 2 * M + buckets * size
    extent = (DATA, -(-total // (2 * M)) * 2 * M)
    make_image(path, [file("q.consumer", 2 * M, [(DATA + 8 * M, 2 * M)]), file("q", total, [extent])])
    write_at(path, DATA, struct.pack("<5Q", 0x0BEEBEE3, buckets, size, 2 * M, 0))
    write_at(path, DATA + 1064, struct.pack("<2Q", 0, total))
    write_at(path, DATA + 8 * M, struct.pack("<2Q", 0x0BEEBEE4, 0))
    write_at(path, DATA + 8 * M + 1048592, struct.pack("<2Q", 0, 2 * M))


class Queues(ImageTest):
    def setUp(self):
        super().setUp()
        make_queue(self.path)
        self.volume = udax.open_volume(self.path, writable=True)
        self.addCleanup(self.volume.close)

    def end(self, role, **options):
        queue = udax.open_queue(self.volume, "/q", role, **options)
        self.addCleanup(queue.close)
        return queue

    def test_messages_come_in_order_and_wrap(self):
        puts, gets = self.end("producer"), self.end("consumer")
        for number in range(20):
            puts.put(b"message %d" % number)
            self.assertEqual(gets.get(), (b"message %d" % number).ljust(48, b"\0"))
        self.assertEqual((gets.info().next_put_seq, gets.info().next_get_seq, len(gets)), (20, 20, 0))

    def test_full_and_empty(self):
        queue = self.end("both")
        self.assertIsNone(queue.try_get())
        self.assertEqual([queue.try_put(b"x") for _ in range(5)], [True, True, True, False, False])
        self.assertTrue(queue.is_full)
        with self.assertRaises(TimeoutError):
            queue.put(b"x", timeout=0.05)
        self.assertEqual(len([queue.get() for _ in range(3)]), 3)
        with self.assertCode("ETIMEDOUT"):
            queue.get(timeout=0.05)

    def test_framed_messages_keep_their_length(self):
        queue = self.end("both", framed=True)
        for message in (b"", b"ab", bytes(44)):
            queue.put(message)
            self.assertEqual(queue.get(), message)
        with self.assertCode("EINVAL"):
            queue.put(bytes(45))

    def test_one_handle_is_an_end(self):
        queue = self.end("producer")
        with self.assertCode("EBUSY"):
            udax.open_queue(self.volume, "/q", "both")
        with self.assertCode("EBADF"):
            queue.try_get()
        queue.close()
        udax.open_queue(self.volume, "/q", "producer").close()

    def test_it_ends_with_its_volume(self):
        # close() raised BufferError: the queue's own views of the memory were alive.
        queue = self.end("producer")
        self.volume.close()
        with self.assertCode("EBADF"):
            queue.try_put(b"late")

    def test_it_goes_on_where_a_killed_end_was(self):
        queue = self.end("both")
        for number in range(7):
            queue.put(b"%d" % number)
            queue.get()
        queue.close()
        # The next number is one ahead of the index: killed between the two stores.
        write_at(self.path, DATA + 1064, struct.pack("<Q", 8))
        queue = self.end("both")
        queue.put(b"7")
        self.assertEqual(queue.get()[:1], b"7")

    def test_damage_is_told(self):
        queue = self.end("both")
        queue.put(b"x")
        write_at(self.path, DATA + 2 * M + 3, b"!")
        with self.assertCode("EBADMSG"):
            queue.get()
        write_at(self.path, DATA + 32, struct.pack("<Q", 99))
        with self.assertCode("EBADMSG"):
            queue.try_put(b"y")
        queue.close()
        with self.assertCode("EBADMSG"):
            udax.queue_info(self.volume, "/q")

    def test_what_is_no_queue(self):
        with self.assertCode("EINVAL"):
            udax.open_queue(self.volume, "/q", "nobody")
        write_at(self.path, DATA, b"\0")
        with self.assertCode("EINVAL"):
            udax.queue_info(self.volume, "/q")
        with self.assertCode("ENOENT"):
            udax.queue_info(self.volume, "/no")
        with udax.open_volume(self.path) as reader, self.assertCode("EROFS"):
            udax.open_queue(reader, "/q", "consumer")
