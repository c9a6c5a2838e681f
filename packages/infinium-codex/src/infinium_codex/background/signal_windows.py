"""The scheduler's signal on Windows: two named events, which exist while the scheduler holds them.

An event that is set stays set until the scheduler sees it, so that no signal is lost while it is busy. The names are
global to the machine, because a user can have several sessions; an event belongs to the user who created it.
"""

import ctypes
import os
import sys
from binascii import crc32

assert sys.platform == "win32"  # for type checkers

_EVENT_MODIFY_STATE = 0x2
_WAIT_OBJECT_0 = 0
_KERNEL = ctypes.WinDLL("kernel32", use_last_error=True)
_KERNEL.CreateEventW.restype = _KERNEL.OpenEventW.restype = ctypes.c_void_p


def send(directory: str, name: str = "", value: str = "") -> bool:
    """Send the signal to the scheduler. False if none is running, or if a variable is to be sent with it.

    An event carries no data: a new scheduler then takes the place of the running one (`send_end`).
    """
    return not (name and value) and _set(directory, replace=False)


def send_end(directory: str) -> bool:
    """Have the scheduler end. False if none is running."""
    return _set(directory, replace=True)


def _set(directory: str, *, replace: bool) -> bool:
    event = _KERNEL.OpenEventW(_EVENT_MODIFY_STATE, False, _name(directory, replace=replace))
    if not event:
        return False
    try:
        return bool(_KERNEL.SetEvent(ctypes.c_void_p(event)))
    finally:
        _KERNEL.CloseHandle(ctypes.c_void_p(event))


class Receiver:
    """The end of the signal that the scheduler holds. Raises OSError if the events cannot be created."""

    def __init__(self, directory: str) -> None:
        self._events = [_create(_name(directory, replace=replace)) for replace in (False, True)]

    def wait(self, seconds: float) -> dict[str, str] | None:
        """Sleep until the signal, at most `seconds`. None if the scheduler is to end."""
        handles = (ctypes.c_void_p * len(self._events))(*self._events)
        first = _KERNEL.WaitForMultipleObjects(len(handles), handles, False, int(max(seconds, 0.0) * 1000) + 1)
        ends = first == _WAIT_OBJECT_0 + 1 or _KERNEL.WaitForSingleObject(handles[1], 0) == _WAIT_OBJECT_0
        return None if ends else {}

    def close(self) -> dict[str, str]:
        """Give the signal up."""
        for event in self._events:
            _KERNEL.CloseHandle(ctypes.c_void_p(event))
        return {}


def _create(name: str) -> int:
    event = _KERNEL.CreateEventW(None, False, False, name)
    if not event:
        raise ctypes.WinError(ctypes.get_last_error())
    return int(event)


def _name(directory: str, *, replace: bool) -> str:
    path = os.path.normcase(os.path.abspath(directory))  # noqa: PTH100
    return f"Global\\infinium-codex-{crc32(path.encode()):08x}-{'replace' if replace else 'wake'}"
