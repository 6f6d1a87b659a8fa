"""The system calls that Python does not have: mmap at an address, madvise, memory fences, cache-line flushes."""

from __future__ import annotations

import ctypes
import mmap as _mmap
import os
import platform
from functools import partial
from typing import Callable, Optional

from .errors import about, fail

_MAP_FIXED = 0x10
_MAP_NORESERVE = 0x4000
_MADV_POPULATE_READ = 22
_FAILED = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int64,
)
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


class _PyBuffer(ctypes.Structure):
    _fields_ = [
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    ]


_get_buffer = ctypes.pythonapi.PyObject_GetBuffer
_get_buffer.argtypes = (ctypes.py_object, ctypes.POINTER(_PyBuffer), ctypes.c_int)
_release_buffer = ctypes.pythonapi.PyBuffer_Release
_release_buffer.argtypes = (ctypes.POINTER(_PyBuffer),)
_release_buffer.restype = None


def address_of(span: _mmap.mmap) -> int:
    """The address of a mapping's first byte. Works for read-only ones, which ctypes.from_buffer() refuses."""
    found = _PyBuffer()
    _get_buffer(span, ctypes.byref(found), 0)
    try:
        return int(found.buf or 0)
    finally:
        _release_buffer(ctypes.byref(found))


def _protection(writable: bool) -> int:
    return _mmap.PROT_READ | (_mmap.PROT_WRITE if writable else 0)


def map_fixed(address: int, length: int, fd: int, offset: int, writable: bool, name: str) -> None:
    """Maps part of a file over addresses that the caller has reserved. Raises ENOMEM, EINVAL, EACCES."""
    flags = _mmap.MAP_SHARED | _MAP_FIXED
    if _libc.mmap(address, length, _protection(writable), flags, fd, offset) != _FAILED:
        return
    number = ctypes.get_errno()
    if number == 12:
        fail(
            "ENOMEM",
            f"{name}: no mapping of {length} bytes: too many pieces or addresses (sysctl vm.max_map_count, ulimit -v)",
            name,
        )
    raise about(OSError(number, os.strerror(number)), f"mapping {length} bytes at {offset}", name)


def map_zeroes(address: int, length: int, writable: bool) -> None:
    """Puts private zero pages over addresses of ours: whoever still has a view there reads zeroes and reaches nothing."""
    flags = _mmap.MAP_PRIVATE | _mmap.MAP_ANONYMOUS | _MAP_FIXED | _MAP_NORESERVE
    _libc.mmap(address, length, _protection(writable), flags, -1, 0)


def populate(address: int, length: int) -> bool:
    """Faults pages in for reading. False when a page cannot be had. Kernels before 5.14 cannot be asked: True."""
    if _libc.madvise(address, length, _MADV_POPULATE_READ) == 0:
        return True
    return ctypes.get_errno() == 22


RESERVE_FLAGS = _mmap.MAP_PRIVATE | _mmap.MAP_ANONYMOUS | _MAP_NORESERVE


class _CacheCalls:
    def __init__(self) -> None:
        # CLWB may keep the line in the cache. Without it libpmem uses an older instruction, which drops the line as well.
        before = os.environ.get("PMEM_NO_CLWB")
        os.environ["PMEM_NO_CLWB"] = "1"
        try:
            library = ctypes.CDLL("libpmem.so.1")
        finally:
            if before is None:
                del os.environ["PMEM_NO_CLWB"]
            else:
                os.environ["PMEM_NO_CLWB"] = before
        self.persist = library.pmem_persist
        self.flush = library.pmem_flush
        self.drain = library.pmem_drain
        for call in (self.persist, self.flush):
            call.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
            call.restype = None
        self.drain.restype = None


_cache_calls: Optional[_CacheCalls] = None


def cache_calls(name: str) -> _CacheCalls:
    """The calls that write back and drop cache lines. Raises EOPNOTSUPP without libpmem."""
    global _cache_calls
    if _cache_calls is None:
        try:
            _cache_calls = _CacheCalls()
        except OSError:
            fail(
                "EOPNOTSUPP",
                f"{name} cannot be used: its caches must be flushed, and that needs libpmem.so.1 (install libpmem1)",
                name,
            )
    return _cache_calls


def _no_fence() -> None:
    """x86-64 keeps the order of stores, and the interpreter does not reorder its own."""


def fence_for(name: str) -> Callable[[], None]:
    """A function that orders all stores before it against all stores after it.

    Python has no fence. x86-64 needs none for stores of one thread. Elsewhere libatomic or libpmem has one.
    Raises EOPNOTSUPP where there is none: without order a message could be published before its bytes.
    """
    if platform.machine() in ("x86_64", "AMD64"):
        return _no_fence
    try:
        fence = ctypes.CDLL("libatomic.so.1").atomic_thread_fence
        fence.argtypes = (ctypes.c_int,)
        fence.restype = None
        sequentially_consistent = 5
        return partial(fence, sequentially_consistent)
    except (OSError, AttributeError):
        drain: Callable[[], None] = cache_calls(name).drain
        return drain


def full_fence_for(name: str) -> Callable[[], None]:
    """A function that orders all stores and loads before it against all after it: a store is seen before the next load is done.

    Even x86-64 lets a load pass an earlier store, and Python has no instruction against that. libatomic has one. Without it, on x86-64,
    pthread_spin_lock() of glibc takes a lock with one locked instruction, which is a full fence there.
    Raises EOPNOTSUPP where there is none.
    """
    try:
        fence = ctypes.CDLL("libatomic.so.1").atomic_thread_fence
        fence.argtypes = (ctypes.c_int,)
        fence.restype = None
        return partial(fence, 5)
    except (OSError, AttributeError):
        pass
    if platform.machine() not in ("x86_64", "AMD64"):
        fail("EOPNOTSUPP", f"{name}: this Python has no memory fence: install libatomic1", name)
    lock, unlock = _libc.pthread_spin_lock, _libc.pthread_spin_unlock
    for call in (lock, unlock):
        call.argtypes = (ctypes.c_void_p,)
        call.restype = ctypes.c_int
    word = ctypes.create_string_buffer(4)
    where = ctypes.addressof(word)
    _libc.pthread_spin_init(ctypes.c_void_p(where), 0)

    def spin() -> None:
        # Each thread spins on its own turn: the interpreter runs one thread at a time, but gives way in foreign calls.
        lock(where)
        unlock(where)

    spin.word = word  # type: ignore[attr-defined]
    return spin
