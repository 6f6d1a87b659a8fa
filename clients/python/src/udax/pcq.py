"""Queues of fixed-size messages between two processes, byte-compatible with udax and C famfs (docs/famfs-format.md 15).

One producer, one consumer. Each owns one index word; a put or get takes no lock and no system call but one fstat.

Order. A message is whole before its index is stored. The index is one aligned 32-bit word, stored and loaded through a
memoryview: one instruction. On x86-64 stores of one thread are seen in their order, and the interpreter does not reorder
them. On other processors a fence stands between (libatomic or libpmem); without one a queue cannot be opened for stores
(EOPNOTSUPP). A consumer checks each message's crc on a private copy and tries three times, so a message that is seen too
early is read again.

Memory whose users do not share caches. Lines are written back after each store and dropped before each load, by libpmem.
Without it such memory is refused when the volume is opened.
"""

from __future__ import annotations

import struct
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Iterator, List, Optional, Union

from . import libc
from .errors import fail
from .file import FileLock, VolumeFile

if TYPE_CHECKING:
    from .volume import Volume

_PRODUCER_MAGIC = 0x0BEEBEE3
_CONSUMER_MAGIC = 0x0BEEBEE4
_HEADER_AREA = 2 * 2**20
_TRAILER = struct.Struct("<QQ")
_PRODUCER_BYTES = 1080
_CONSUMER_BYTES = 1_048_608
#: Offsets: the index words of both files, and their next sequence numbers.
_PRODUCER_INDEX, _CONSUMER_INDEX = 32, 8
_PRODUCER_SEQ, _CONSUMER_SEQ = 1064, 1_048_592
_MOST_BUCKET = 2**30
_TRIES = 3
_SPINS, _TURNS, _PAUSE_SECONDS = 100, 500, 0.001


@dataclass(frozen=True)
class QueueInfo:
    """A queue as its headers describe it. `length` is how many messages it holds."""

    path: str
    buckets: int
    bucket_size: int
    payload_size: int
    capacity: int
    length: int
    producer_index: int
    consumer_index: int
    next_put_seq: int
    next_get_seq: int


def _u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _no_queue(path: str, why: str) -> None:
    fail("EINVAL", f"{path} is no queue: it {why}; make one with udax pcq create", path)


def _damaged(path: str, why: str) -> None:
    fail("EBADMSG", f"the queue {path} is damaged: {why}", path)


def _info(producer: VolumeFile, consumer: VolumeFile) -> QueueInfo:
    """Reads and checks both headers."""
    head = producer.pread(_PRODUCER_BYTES, 0)
    path = producer.path
    if len(head) < _PRODUCER_BYTES:
        _no_queue(path, f"has only {len(head)} bytes")
    if _u64(head, 0) != _PRODUCER_MAGIC:
        _no_queue(path, "has no queue magic at byte 0")
    buckets, size, first, index = (_u64(head, at) for at in (8, 16, 24, _PRODUCER_INDEX))
    if size < 32 or size > _MOST_BUCKET or size & (size - 1) or not 2 <= buckets < 2**32:
        _damaged(path, f"its header says {buckets} buckets of {size} bytes")
    if first != _HEADER_AREA:
        _damaged(path, f"its buckets start at {first}, want {_HEADER_AREA}")
    end = first + buckets * size
    if _u64(head, 1072) != producer.size or end > producer.size:
        _damaged(path, f"its buckets end at {end}, the header says {_u64(head, 1072)} bytes, it has {producer.size}")
    other = consumer.pread(_CONSUMER_BYTES, 0)
    if len(other) < _CONSUMER_BYTES:
        _no_queue(consumer.path, f"has only {len(other)} bytes")
    if int.from_bytes(other[:4], "little") != _CONSUMER_MAGIC:
        _no_queue(consumer.path, "has no consumer magic at byte 0")
    if _u64(other, 1_048_600) != consumer.size:
        _damaged(consumer.path, f"its header says {_u64(other, 1_048_600)} bytes, it has {consumer.size}")
    taken = _u64(other, _CONSUMER_INDEX)
    for name, value, where in (("producer_index", index, path), ("consumer_index", taken, consumer.path)):
        if value >= buckets:
            _damaged(where, f"{name} is {value} of {buckets} buckets")
    length = (index - taken + buckets) % buckets
    seqs = _u64(head, _PRODUCER_SEQ), _u64(other, _CONSUMER_SEQ)
    return QueueInfo(path, buckets, size, size - 16, buckets - 1, length, index, taken, *seqs)


def queue_info(volume: "Volume", path: str) -> QueueInfo:
    """Describes a queue without becoming an end of it. Raises ENOENT, EINVAL no queue, EBADMSG damaged."""
    with volume.open(path) as producer, volume.open(f"{path}.consumer") as consumer:
        return _info(producer, consumer)


class Queue:
    """One end of a queue, or both. open_queue() makes it."""

    def __init__(self, volume: "Volume", path: str, role: str, framed: bool) -> None:
        self.path = path
        self.role = role
        self._closed = False
        self._locks: List[FileLock] = []
        puts, gets = role != "consumer", role != "producer"
        # Each end stores only into its own file.
        self._producer = volume.open(path, writable=puts)
        self._consumer = volume.open(f"{path}.consumer", writable=gets)
        info = _info(self._producer, self._consumer)
        self.buckets, self.bucket_size, self.payload_size = info.buckets, info.bucket_size, info.payload_size
        #: The longest message, bytes: 4 less when the queue is framed.
        self.framed = framed
        self.max_message_size = self.payload_size - (4 if framed else 0)
        self._fence = libc.fence_for(path)
        try:
            if puts:
                self._take_end(self._producer, _PRODUCER_INDEX, "producer")
            if gets:
                self._take_end(self._consumer, _CONSUMER_INDEX, "consumer")
            length = _HEADER_AREA + self.buckets * self.bucket_size
            self._producer_bytes = self._producer.buffer(0, length, writable=puts)
            self._consumer_bytes = self._consumer.buffer(0, _CONSUMER_BYTES, writable=gets)
        except BaseException:
            self._release_locks()
            raise
        self._producer_words = self._producer_bytes[:_PRODUCER_BYTES]
        self._put_index = self._producer_words.cast("I")
        self._get_index = self._consumer_bytes.cast("I")
        self._put_seq_word = self._producer_words.cast("Q")
        self._get_seq_word = self._consumer_bytes.cast("Q")
        self._put_seq = self._seq_at(self._producer_index(), info.next_put_seq) if puts else 0
        self._get_seq = self._seq_at(self._consumer_index(), info.next_get_seq) if gets else 0
        volume.add_queue(self)

    def _take_end(self, file: VolumeFile, at: int, end: str) -> None:
        lock = file.lock(at, 8)
        if lock is None:
            fail("EBUSY", f"another handle is the {end} of {file.path} already: there can be one at a time", file.path)
        self._locks.append(lock)

    # State

    def __len__(self) -> int:
        """How many messages it holds now."""
        self._check()
        return (self._producer_index() - self._consumer_index() + self.buckets) % self.buckets

    def __bool__(self) -> bool:
        return True

    @property
    def is_full(self) -> bool:
        """Whether a put has to wait."""
        return len(self) == self.buckets - 1

    def info(self) -> QueueInfo:
        """The size and state of the queue now."""
        self._check()
        return _info(self._producer, self._consumer)

    # Messages

    def try_put(self, message: Union[bytes, bytearray, memoryview]) -> bool:
        """Puts one message; a shorter one is padded with zeroes. False when the queue is full. Raises EINVAL too long."""
        self._check("producer", "put")
        data = memoryview(message).cast("B")
        if len(data) > self.max_message_size:
            fail("EINVAL", f"a message of {len(data)} bytes does not fit: {self.path} holds {self.max_message_size}", self.path)
        index = self._producer_index()
        following = (index + 1) % self.buckets
        if following == self._consumer_index():
            return False
        self._store(index, data)
        self._fence()
        self._put_seq += 1
        self._put_seq_word[_PRODUCER_SEQ // 8] = self._put_seq
        # This store publishes the message. All its bytes are stored before it.
        self._put_index[_PRODUCER_INDEX // 4] = following
        self._producer.write_back(_PRODUCER_INDEX, 8)
        return True

    def put(self, message: Union[bytes, bytearray, memoryview], timeout: Optional[float] = None) -> None:
        """Puts one message, and waits while the queue is full. Raises TimeoutError (ETIMEDOUT); as try_put()."""
        while not self.try_put(message):
            self._wait(lambda: not self.is_full, timeout, "full")

    def try_get(self) -> Optional[bytes]:
        """Takes the next message, as a copy. None when the queue is empty. Raises EBADMSG damaged; it stays in the queue."""
        self._check("consumer", "get")
        index = self._consumer_index()
        if index == self._producer_index():
            return None
        self._fence()
        message = self._unframed(self._load(index))
        self._fence()
        self._get_seq += 1
        self._get_seq_word[_CONSUMER_SEQ // 8] = self._get_seq
        self._get_index[_CONSUMER_INDEX // 4] = (index + 1) % self.buckets
        self._consumer.write_back(_CONSUMER_INDEX, 8)
        return message

    def get(self, timeout: Optional[float] = None) -> bytes:
        """Takes the next message, and waits while the queue is empty. Raises TimeoutError (ETIMEDOUT); as try_get()."""
        while True:
            message = self.try_get()
            if message is not None:
                return message
            self._wait(lambda: len(self) > 0, timeout, "empty")

    def __iter__(self) -> Iterator[bytes]:
        """Messages as they come, for ever."""
        while True:
            yield self.get()

    def _wait(self, is_ready: Callable[[], bool], timeout: Optional[float], state: str) -> None:
        """First looks at once, then gives the processor away, then pauses: the other end may be far from ready."""
        deadline = None if timeout is None else time.monotonic() + timeout
        looks = 0
        while not is_ready():
            if deadline is not None and time.monotonic() > deadline:
                fail("ETIMEDOUT", f"the queue {self.path} stayed {state} for {timeout} s", self.path)
            looks += 1
            if looks > _SPINS:
                time.sleep(0 if looks < _SPINS + _TURNS else _PAUSE_SECONDS)

    # Memory

    def _index(self, words: memoryview, at: int, name: str) -> int:
        index = int(words[at // 4])
        if index >= self.buckets:
            _damaged(self.path, f"{name} is {index} of {self.buckets} buckets")
        return index

    def _producer_index(self) -> int:
        if self.role == "consumer":
            self._producer.refetch(_PRODUCER_INDEX, 8)
        return self._index(self._put_index, _PRODUCER_INDEX, "producer_index")

    def _consumer_index(self) -> int:
        if self.role == "producer":
            self._consumer.refetch(_CONSUMER_INDEX, 8)
        return self._index(self._get_index, _CONSUMER_INDEX, "consumer_index")

    def _store(self, index: int, data: memoryview) -> None:
        head = len(data).to_bytes(4, "little") if self.framed else b""
        payload = (head + bytes(data)).ljust(self.payload_size, b"\0") + self._put_seq.to_bytes(8, "little")
        at = _HEADER_AREA + index * self.bucket_size
        self._producer_bytes[at : at + self.bucket_size] = payload + zlib.crc32(payload).to_bytes(8, "little")
        self._producer.write_back(at, self.bucket_size)

    def _bucket(self, index: int) -> Optional[bytes]:
        """A private copy of a bucket; None when its crc is wrong."""
        at = _HEADER_AREA + index * self.bucket_size
        self._producer.refetch(at, self.bucket_size)
        data = bytes(self._producer_bytes[at : at + self.bucket_size])
        return data if zlib.crc32(data[:-8]) == _u64(data, self.bucket_size - 8) else None

    def _load(self, index: int) -> bytes:
        for _ in range(_TRIES):
            data = self._bucket(index)
            if data is not None:
                break
        else:
            fail("EBADMSG", f"message {self._get_seq} of {self.path} (bucket {index}) does not match its crc", self.path)
        seq = _u64(data, self.payload_size)
        if seq != self._get_seq:
            text = f"bucket {index} of {self.path} holds message {seq}, expected {self._get_seq}: messages were lost"
            fail("EBADMSG", f"{text}, or two producers write at once", self.path)
        return data[: self.payload_size]

    def _unframed(self, payload: bytes) -> bytes:
        if not self.framed:
            return payload
        length = int.from_bytes(payload[:4], "little")
        if length > self.max_message_size:
            text = f"message {self._get_seq} of {self.path} is not framed: both ends must be opened alike"
            fail("EBADMSG", text, self.path)
        return payload[4 : 4 + length]

    def _seq_at(self, index: int, in_header: int) -> int:
        """The number of the next message for a bucket.

        The number in a header can be one ahead after a kill between two stores, or old. The bucket before tells more: the
        producer never stores to it.
        """
        if index == 0 and in_header == 0:
            return 0
        last = self._bucket((index + self.buckets - 1) % self.buckets)
        after = None if last is None else _u64(last, self.payload_size) + 1
        if after is not None and after % self.buckets == index:
            return after
        if in_header % self.buckets != index and in_header > 0 and (in_header - 1) % self.buckets == index:
            return in_header - 1
        return in_header

    def _check(self, needed: Optional[str] = None, act: str = "") -> None:
        if self._closed:
            fail("EBADF", f"the queue {self.path} is closed: open it again", self.path)
        if needed is not None and self.role not in (needed, "both"):
            fail("EBADF", f"this end of {self.path} is its {self.role}, it cannot {act}: open it as {needed}", self.path)
        # A view cannot tell that the file behind it was cut, or that the volume is another.
        self._producer.check_memory()
        self._consumer.check_memory()

    def _release_locks(self) -> None:
        for lock in self._locks:
            lock.release()

    def close(self) -> None:
        """Ends this end. The queue and its messages stay on the volume. Idempotent."""
        if self._closed:
            return
        self._closed = True
        views = (self._put_index, self._get_index, self._put_seq_word, self._get_seq_word, self._producer_words)
        for view in (*views, self._producer_bytes, self._consumer_bytes):
            view.release()
        self._producer.close()
        self._consumer.close()
        self._release_locks()

    def __enter__(self) -> "Queue":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_queue(volume: "Volume", path: str, role: str, *, framed: bool = False) -> Queue:
    """Opens a queue as its `producer`, its `consumer`, or `both`. The volume must be open with writable=True.

    framed: messages keep their length, which takes the first 4 bytes of the payload. Both ends must be opened alike.
    Raises ENOENT; EINVAL no queue; EBADMSG damaged; EROFS; EBUSY another handle of this host is that end already.
    """
    if role not in ("producer", "consumer", "both"):
        fail("EINVAL", f"there is no role {role!r}: producer, consumer or both", path)
    return Queue(volume, path, role, framed)
