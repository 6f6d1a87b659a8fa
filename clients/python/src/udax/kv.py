"""A KV-cache backend over an arena, of the shape that LMCache's storage backends have.

    backend = KVBackend(udax.open_volume("./pool", writable=True), "/kv")
    backend.batched_put(keys, tensors)          # or allocate(), fill, commit: no copy
    found = backend.batched_get(keys)           # memory objects: buffers in the shared memory, pinned
    ...
    for each in found: each.release()

Keys are anything with a stable str(): LMCache's CacheEngineKey, or a string. Longer ones than the arena takes are hashed (sha256). A value is one
contiguous buffer; shape and dtype travel before it in a small header, so that another process gets the same array. Tensors are anything
with the buffer protocol or __array_interface__ (numpy); a torch tensor on the CPU goes through its numpy() view.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Iterable, List, Optional, Sequence, Tuple

from .arena import Arena, Reservation, Value, open_arena
from .errors import UdaxError

if TYPE_CHECKING:
    from .volume import Volume

#: The header of a value: its length, then JSON, filled up so that the data starts at a multiple of it.
_ALIGN = 64


def _header(shape: Sequence[int], dtype: str) -> bytes:
    text = json.dumps({"shape": list(shape), "dtype": dtype}, separators=(",", ":")).encode()
    return (len(text).to_bytes(4, "little") + text).ljust(-(-(len(text) + 4) // _ALIGN) * _ALIGN, b"\0")


def _as_array(tensor: Any) -> Any:
    """A tensor as something with a shape, a dtype and a buffer. A torch tensor is one line: its numpy() shares its memory."""
    if type(tensor).__module__.partition(".")[0] == "torch":
        return tensor.detach().contiguous().numpy()
    return tensor


def _describe(array: Any) -> Tuple[Sequence[int], str, memoryview]:
    if hasattr(array, "__array_interface__"):
        import numpy

        packed: Any = numpy.ascontiguousarray(array)
        return packed.shape, packed.dtype.str, memoryview(packed).cast("B")
    view = memoryview(array).cast("B")
    return (len(view),), "|u1", view


class MemoryObject:
    """A value of the cache: a buffer in the shared memory. Of get() it is pinned and read-only; of allocate() writable until commit()."""

    def __init__(self, view: memoryview, shape: Sequence[int], dtype: str, holder: "Value | Reservation") -> None:
        self.shape, self.dtype = tuple(shape), dtype
        self._view, self._holder = view, holder

    @property
    def buffer(self) -> memoryview:
        """The bytes themselves."""
        return self._view

    def numpy(self) -> Any:
        """The value as a numpy array over the same memory: no copy."""
        import numpy

        return numpy.frombuffer(self._view, dtype=numpy.dtype(self.dtype)).reshape(self.shape)

    def torch(self) -> Any:
        """The value as a torch tensor over the same memory: no copy. ImportError without torch."""
        import torch  # type: ignore

        return torch.from_numpy(self.numpy())

    def commit(self) -> None:
        """Of allocate(): makes it visible."""
        if isinstance(self._holder, Reservation):
            self._holder.commit()

    def release(self) -> None:
        """Lets go: ends the pin, or aborts what was not committed. Idempotent."""
        self._view = memoryview(b"")
        if isinstance(self._holder, Reservation):
            self._holder.abort()
        else:
            self._holder.release()

    #: LMCache's names.
    ref_count_down = release


class KVBackend:
    """Batched contains, get, put, pin, unpin and remove by key, over one arena that any number of processes share."""

    def __init__(self, volume: "Volume", path: str = "/kv", *, ttl: Optional[float] = None) -> None:
        self.arena: Arena = open_arena(volume, path)
        self._ttl = ttl
        self._pinned: "dict[bytes, List[Value]]" = {}

    def key_of(self, key: Any) -> bytes:
        """The arena's key of a cache key."""
        data = key if isinstance(key, bytes) else str(key).encode()
        return data if len(data) <= self.arena.geometry.max_key else hashlib.sha256(data).digest()

    def contains(self, key: Any, pin: bool = False) -> bool:
        """Whether the key is there. With `pin` it stays until unpin()."""
        return self.pin(key) if pin else self.arena.has(self.key_of(key))

    def batched_contains(self, keys: Sequence[Any], pin: bool = False) -> int:
        """How many keys from the first on are there: the length of the prefix that need not be computed."""
        for count, key in enumerate(keys):
            if not self.contains(key, pin):
                return count
        return len(keys)

    def get(self, key: Any) -> Optional[MemoryObject]:
        """The value of a key, pinned; None when it is not there."""
        value = self.arena.get(self.key_of(key))
        return None if value is None else self._object(value)

    def batched_get(self, keys: Iterable[Any]) -> "List[Optional[MemoryObject]]":
        """get() of many."""
        return [self.get(key) for key in keys]

    def allocate(self, key: Any, shape: Sequence[int], dtype: str = "|u1") -> Optional[MemoryObject]:
        """Space for a value, to be filled in place and committed. None when the cache is full, and all that is in the way is pinned."""
        import math

        size = math.prod(shape) * _item_bytes(dtype)
        head = _header(shape, dtype)
        try:
            reservation = self.arena.reserve(self.key_of(key), len(head) + size, ttl=self._ttl)
        except UdaxError as error:
            if error.code in ("ENOSPC", "EBUSY", "EFBIG"):
                return None
            raise
        reservation.bytes[: len(head)] = head
        return MemoryObject(reservation.bytes[len(head) :], shape, dtype, reservation)

    def put(self, key: Any, tensor: Any) -> bool:
        """Stores a tensor, unless the key is there. False when there is no room."""
        if self.arena.has(self.key_of(key)):
            return True
        shape, dtype, view = _describe(_as_array(tensor))
        space = self.allocate(key, shape, dtype)
        if space is None:
            return False
        space.buffer[:] = view
        space.commit()
        return True

    def batched_put(self, keys: Sequence[Any], tensors: Sequence[Any]) -> int:
        """put() of many. Returns how many are there now."""
        return sum(1 for key, tensor in zip(keys, tensors) if self.put(key, tensor))

    #: LMCache's name; it is done when it returns.
    batched_submit_put_task = batched_put

    def pin(self, key: Any) -> bool:
        """Keeps a key from being evicted, until unpin() or the end of this process."""
        name = self.key_of(key)
        value = self.arena.get(name)
        if value is None:
            return False
        self._pinned.setdefault(name, []).append(value)
        return True

    def unpin(self, key: Any) -> bool:
        """Ends one pin()."""
        name = self.key_of(key)
        values = self._pinned.get(name)
        if not values:
            return False
        values.pop().release()
        if not values:
            del self._pinned[name]
        return True

    def remove(self, key: Any) -> bool:
        """Takes a key out of the cache."""
        return self.arena.delete(self.key_of(key))

    def batched_remove(self, keys: Iterable[Any]) -> int:
        """remove() of many. Returns how many were there."""
        return sum(1 for key in keys if self.remove(key))

    def close(self) -> None:
        """Ends all pins of this backend. The cache stays."""
        for values in self._pinned.values():
            for value in values:
                value.release()
        self._pinned.clear()
        self.arena.close()

    def _object(self, value: Value) -> MemoryObject:
        view = value.bytes
        size = int.from_bytes(view[:4], "little")
        try:
            about = json.loads(bytes(view[4 : 4 + size]))
            shape, dtype = [int(each) for each in about["shape"]], str(about["dtype"])
        except (ValueError, KeyError, TypeError):
            value.release()
            raise ValueError(f"this object of {self.arena.path} is not one that KVBackend stored") from None
        return MemoryObject(view[-(-(size + 4) // _ALIGN) * _ALIGN :], shape, dtype, value)


def _item_bytes(dtype: str) -> int:
    digits = dtype.lstrip("<>|=").lstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return int(digits) if digits.isdigit() else 1
