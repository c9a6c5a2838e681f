"""Moves the events that the shell recorded from the inboxes to the spools of their sessions.

`tool_event.sh` writes each event to a file of its own, in the inbox of the agent's process. The hook writes its events
there too while there are such files. So their times give the order in which the spools get them.

A worker imports this module at every prompt, so it imports only what an interpreter has already loaded, until there is
something to move.
"""

import os
import time

from infinium_config.files import open_regular

from infinium_codex.capture.frame import encode

INBOXES = "inbox"
"""The directory of all inboxes, beside the spools. An inbox's name is `PROCESS.FIELD`, where FIELD holds a session's id
in the payloads of the agent."""
MARKERS = "traced"
"""The directory of all markers, in the hook's home."""
COMPLETE = b"I3\n"
"""The end of a complete event. It is not JSON, so no part of an event ends like that."""
UNFINISHED_SECONDS = 10.0
"""A file that is not complete and older than this has lost its writer: the agent ends a hook earlier."""
MAX_EVENT_BYTES = 64 << 20
"""A larger event is truncated, as the hook does it."""
_MAX_FILE_BYTES = MAX_EVENT_BYTES + (2 << 20)
"""A file of the hook holds an event and the project's file, of at most 1 MiB."""
_BATCH_BYTES = 1 << 20


class _File:
    """A file in an inbox. Its name is `EVENT.PROCESS` or `EVENT.user.PROCESS`, or `SESSION.TIME.PROCESS.records`.

    The shell writes an event, and COMPLETE behind it. The hook writes records, and renames the file when they are
    complete: until then its name begins with a dot.
    """

    def __init__(self, path: str, modified_ns: int) -> None:
        self.path, self.modified_ns = path, modified_ns
        self.name = path.rpartition("/")[2]
        process = self.name.removesuffix(".records").rpartition(".")[2]
        self.process = int(process) if process.isdecimal() else 0

    def read(self, field: bytes) -> tuple[str, bytes] | None:
        """The session and the records of this file; None while it is not complete. `field` is the session's field.

        What a killed writer left of an event becomes a record if it names the session, and is dropped otherwise.
        """
        opened = open_regular(self.path)
        if opened is None:  # another process has moved it
            return None
        with opened:
            content = opened.read(_MAX_FILE_BYTES)
        if self.name.endswith(".records"):
            session = self.name.lstrip(".").partition(".")[0]
            return (session, content) if self.has_no_writer or self.name[0] != "." else None
        is_complete = content.endswith(COMPLETE) or len(content) > MAX_EVENT_BYTES
        if not is_complete and not self.has_no_writer:
            return None
        from infinium_codex.capture.hook import UNIDENTIFIED, session_of

        payload = content.removesuffix(COMPLETE)[:MAX_EVENT_BYTES]
        session = session_of(payload, field)
        if session == UNIDENTIFIED and not is_complete:
            return session, b""
        event, *others = self.name.split(".")
        process = -self.process if len(others) > 1 else self.process  # there is a `user` between
        return session, encode(event, self.modified_ns, process, payload)

    @property
    def has_no_writer(self) -> bool:
        """Whether the file is so old that the agent has ended its writer."""
        return time.time() - self.modified_ns / 1e9 > UNFINISHED_SECONDS


def collect_events(directory: str) -> float:
    """Append the events in the inboxes of a spool directory to the spools, in the order of their times.

    Returns the time of the last one, in seconds since the epoch, or 0 without events. Several processes may do this at
    once, and any may be killed: a file is removed only after its event is in the spool, and a second record of an event
    has the same identity, so it is ignored. Raises OSError.
    """
    last_ns = 0
    for name in _names(f"{directory}/{INBOXES}"):
        inbox = f"{directory}/{INBOXES}/{name}"
        process, _, field = name.partition(".")
        found = _find_files(inbox)
        if found:
            _move(found, directory, b'"%s"' % field.encode())
            last_ns = max(last_ns, found[-1].modified_ns)
        elif not _is_running(process):
            _remove_empty(inbox)
    return last_ns / 1e9


def remove_old_markers(home: str) -> None:
    """Remove the markers of agent processes that have ended from the hook's home (`hook_marker`)."""
    for process in _names(f"{home}/{MARKERS}"):
        if not _is_running(process):
            import shutil

            shutil.rmtree(f"{home}/{MARKERS}/{process}", ignore_errors=True)


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - pathlib is not loaded
    except (FileNotFoundError, NotADirectoryError):
        return []


def _find_files(inbox: str) -> list[_File]:
    """The files of an inbox, oldest first. Files of the same tick of the clock are in the order of their processes."""
    found = []
    try:
        with os.scandir(inbox) as entries:
            for entry in entries:
                try:
                    found.append(_File(entry.path, entry.stat(follow_symlinks=False).st_mtime_ns))
                except FileNotFoundError:
                    continue  # another process has just moved it
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found, key=lambda file: (file.modified_ns, file.process))


def _move(files: list[_File], directory: str, field: bytes) -> None:
    """Append records to the spools, many in one write, and remove their files."""
    records: dict[str, list[bytes]] = {}
    moved: list[str] = []
    size = 0
    for file in files:
        found = file.read(field)
        if found is None:
            continue
        session, record = found
        records.setdefault(session, []).append(record)
        moved.append(file.path)
        size += len(record)
        if size > _BATCH_BYTES:
            _append(records, moved, directory)
            records, moved, size = {}, [], 0
    _append(records, moved, directory)


def _append(records: dict[str, list[bytes]], moved: list[str], directory: str) -> None:
    from infinium_codex.capture.hook import append_record

    for session, parts in records.items():
        if record := b"".join(parts):
            append_record(f"{directory}/{session}.spool", record)
    for path in moved:
        try:
            os.unlink(path)  # noqa: PTH108 - pathlib is not loaded
        except FileNotFoundError:
            continue  # another process has moved it too


def _is_running(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError, OverflowError):
        return True
    return True


def _remove_empty(directory: str) -> None:
    try:
        os.rmdir(directory)  # noqa: PTH106 - pathlib is not loaded
    except OSError:
        return  # an event came in
