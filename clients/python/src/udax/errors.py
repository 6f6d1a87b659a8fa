"""The errors of udax: OSError with the errno that the kernel gives for the same act.

The message names the thing, the reason and the next step. Where Python has a class for an errno (FileNotFoundError,
PermissionError, ...), the error is of that class too, so the usual `except` clauses work.
"""

from __future__ import annotations

import errno as _errno
from typing import Dict, NoReturn, Optional, Tuple, Type


class UdaxError(OSError):
    """An error of udax. `code` is the errno's name (`'EBUSY'`), `errno` its number, `path` what the failure is about."""

    def __init__(self, code: str, message: str, path: Optional[str] = None) -> None:
        super().__init__(getattr(_errno, code), message)
        self.code = code
        self.message = message
        self.path = path

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"

    def __reduce__(self) -> Tuple[object, ...]:
        return (error, (self.code, self.message, self.path))


class NotFound(UdaxError, FileNotFoundError):
    """ENOENT"""


class NotPermitted(UdaxError, PermissionError):
    """EACCES, EPERM"""


class IsDirectory(UdaxError, IsADirectoryError):
    """EISDIR"""


class NotDirectory(UdaxError, NotADirectoryError):
    """ENOTDIR"""


class TimedOut(UdaxError, TimeoutError):
    """ETIMEDOUT"""


_CLASSES: Dict[str, Type[UdaxError]] = {
    "ENOENT": NotFound,
    "EACCES": NotPermitted,
    "EPERM": NotPermitted,
    "EISDIR": IsDirectory,
    "ENOTDIR": NotDirectory,
    "ETIMEDOUT": TimedOut,
}


def error(code: str, message: str, path: Optional[str] = None) -> UdaxError:
    """An error of the class that belongs to the code."""
    return _CLASSES.get(code, UdaxError)(code, message, path)


def fail(code: str, message: str, path: Optional[str] = None) -> NoReturn:
    """Raises an error."""
    raise error(code, message, path)


def about(cause: OSError, doing: str, path: str) -> UdaxError:
    """A system error as one of udax, which says what was being done and to which file."""
    if isinstance(cause, UdaxError):
        return cause
    code = _errno.errorcode.get(cause.errno or 0, "EIO")
    return error(code, f"{path}: {doing}: {cause.strerror or cause}", path)
