r"""The frame around each event in a spool file.

A record is `0x1e "I3 " event " " time_ns " " pid " " length " " checksum "\n" payload "\n"`. The hooks write it without
importing this module (a test compares them with `encode`); `records` reads it. Another number than 3 marks a frame that
another version of the hook wrote.

The pid is negative if the hook is registered for all projects of the user. Where a project has the hooks too, each
event has one record of either kind.

A record of the event PROJECT comes directly before the record that begins a turn, in the same write. Its payload is the
path of the project file, INFINIUM_AGENT_ID, INFINIUM_BASE_URL and the file's content, with zero bytes between them.

A worker imports this module at every prompt, so it imports nothing.
"""

MARK = b"\x1eI3 "
PROJECT = ".project"
PRIME = 1_000_000_007
MAX_HEAD_BYTES = 256


def encode(event: str, time_ns: int, pid: int, payload: bytes) -> bytes:
    """One record as the hook writes it."""
    name = event.encode("ascii", "replace").replace(b" ", b"?")
    return b"%s%s %d %d %d %d\n%s\n" % (MARK, name, time_ns, pid, len(payload), checksum(payload), payload)


def checksum(payload: bytes) -> int:
    """The payload as a little-endian number modulo a prime: in many Pythons a CRC is a library to load."""
    return int.from_bytes(payload, "little") % PRIME


def count_events(spool: bytes, event: str, *, after: "tuple[str, ...]") -> int:
    """How often `event` occurs in a part of a spool file after the last of the events `after`.

    Checksums are not compared: text in a payload can look like a frame.
    """
    last = max(spool.rfind(_head_of(name)) for name in after)
    return spool.count(_head_of(event), max(last, 0))


def _head_of(event: str) -> bytes:
    return b"%s%s " % (MARK, event.encode("ascii", "replace"))
