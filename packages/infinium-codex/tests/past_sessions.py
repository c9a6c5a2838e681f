"""Write transcripts of past sessions where Codex keeps them, made of recorded ones."""

import json
import os
import re
import sys
import time
from pathlib import Path

from machine import Machine
from recorded import Recording

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_ID = re.compile(rb"\b01a2[0-9a-f]{4}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b")
DAY_SECONDS = 86_400


def add_session(
    machine: Machine, recording: Recording, number: int = 0, *, project: Path | None = None, age: float = DAY_SECONDS
) -> Path:
    """Write the transcripts of a recording, last written `age` seconds ago; return that of the session.

    `number` tells copies of one recording apart: it becomes the last part of every id.
    """
    cwd = str(project or machine.project).encode()
    directory = machine.codex_home / "sessions" / "2026" / "11" / "23"
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for source in (recording.transcript, *sorted(recording.path.glob("thread-*.jsonl"))):
        content = source.read_bytes().replace(b"/home/dev/project", cwd)
        content = _ID.sub(lambda found: found[0][:-12] + b"%012x" % (int(found[0][-4:], 16) << 24 | number), content)
        thread = json.loads(content.splitlines()[0])["payload"]["id"]
        path = directory / f"rollout-2026-11-23T10-00-00-{thread}.jsonl"
        path.write_bytes(content)
        set_age(path, age)
        written.append(path)
    return written[0]


def set_age(path: Path, seconds: float) -> None:
    """Set the time of the last write."""
    when = time.time() - seconds
    os.utime(path, (when, when))


def compress(path: Path) -> Path:
    """Compress a transcript as Codex does with idle ones."""
    target = path.with_name(f"{path.name}.zst")
    target.write_bytes(compressed(path.read_bytes()))
    os.utime(target, (path.stat().st_mtime, path.stat().st_mtime))
    path.unlink()
    return target


def compressed(content: bytes) -> bytes:
    """The content, compressed on its own."""
    return zstd.compress(content)


def archive(machine: Machine, path: Path) -> Path:
    """Move a transcript to Codex's archive."""
    target = machine.codex_home / "archived_sessions" / path.name
    target.parent.mkdir(exist_ok=True)
    path.rename(target)
    return target
