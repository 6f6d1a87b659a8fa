"""What an arena hands out: entries, pinned values, reservations."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Optional, Type

from ..errors import fail

if TYPE_CHECKING:
    from .arena import Arena


class Entry(NamedTuple):
    """An object as list() finds it."""

    key: bytes
    size: int
    expires: Optional[float]


class Value:
    """An object that is pinned: `bytes` is the shared memory itself, read-only, until release(). A view that is kept longer shows whatever
    is stored there next. `with value:` releases it."""

    def __init__(self, arena: "Arena", view: memoryview, pin: int, slot: int, reference: str) -> None:
        self._arena, self._view, self._pin = arena, view, pin
        self._slot = slot
        #: Names this very object, for Arena.open() of any process.
        self.reference = reference

    @property
    def bytes(self) -> memoryview:
        """The value. Raises EBADF when it was released."""
        if self._pin < 0:
            fail("EBADF", f"this object of the arena {self._arena.path} was released: get it again", self._arena.path)
        return self._view

    def release(self) -> None:
        """Lets go. Idempotent."""
        if self._pin >= 0:
            pin, self._pin = self._pin, -1
            self._view = memoryview(b"")
            self._arena._unpin(pin)

    def __enter__(self) -> "Value":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.release()


class Reservation:
    """Space for a value that nobody sees before commit(). `with` aborts it unless it was committed."""

    def __init__(self, arena: "Arena", key: bytes, slot: int, state: int, view: memoryview, ttl: Optional[float], if_absent: bool) -> None:
        self._arena, self._key, self._slot, self._state = arena, key, slot, state
        self._view: Optional[memoryview] = view
        self._ttl, self._if_absent = ttl, if_absent

    @property
    def bytes(self) -> memoryview:
        """The memory itself, writable. Raises EBADF when it was committed or aborted."""
        if self._view is None:
            fail("EBADF", f"this reservation in the arena {self._arena.path} was committed or aborted", self._arena.path)
        return self._view

    def commit(self) -> None:
        """Makes the value visible, whole and at once. Raises EEXIST with if_absent, ESTALE the lease was lost."""
        self.bytes  # noqa: B018  it raises EBADF
        self._arena._commit(self._key, self._slot, self._state, self._ttl, self._if_absent)
        self._view = None

    def abort(self) -> None:
        """Gives the space back. Idempotent."""
        if self._view is not None:
            self._view = None
            self._arena._abort(self._slot, self._state)

    def __enter__(self) -> "Reservation":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.abort()
