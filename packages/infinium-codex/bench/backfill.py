"""The cost of a backfill over that of reading and parsing the same transcripts with the fastest JSON library."""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from machine import Machine
from processes import usage
from sessions import Session
from table import Row

SESSIONS = int(os.environ.get("BENCH_BACKFILL_SESSIONS", "200"))
"""1,000 of them are 4.6 GB. The default is a fifth of that, because every trace is built and stored."""
TURNS, CALLS, OUTPUT = 8, 25, 9_500
"""Turns of a session, calls of a turn, and characters of a call's output, which a transcript holds twice."""
INSTRUCTIONS = "Some instructions of the agent. " * 700
_LINE = "src/app/module.py:123: warning: something happened at line 12\n"
_PARSE = """
import msgspec, pathlib, sys
decode = msgspec.json.Decoder().decode
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.jsonl")):
    with path.open("rb") as file:
        for line in file:
            decode(line)
"""


def backfill_costs(machine: Machine) -> Iterator[Row]:
    """CPU time to find what is missing and to send it, over that of parsing; and the peak of memory."""
    sessions = machine.codex_home / "sessions"
    size = write_sessions(machine, sessions, SESSIONS)
    try:
        parse = usage([sys.executable, "-c", _PARSE, str(sessions)], cwd=machine.project, environ=machine.environ)
        find = usage([*machine.program, "backfill", "--dry-run"], cwd=machine.project, environ=machine.environ)
        send = usage([*machine.program, "backfill"], cwd=machine.project, environ=machine.environ)
        again = usage([*machine.program, "backfill"], cwd=machine.project, environ=machine.environ)
    finally:
        shutil.rmtree(sessions)
    what = f"backfill of {SESSIONS:,} sessions, {size / 1e9:.1f} GB, over parsing them"
    for name, one in (("finds what is missing", find), ("nothing is missing", again), ("every turn is missing", send)):
        ratio = one.cpu / parse.cpu
        measured = f"{ratio:.2f}  ({one.cpu:.1f} s / {parse.cpu:.1f} s)"
        yield Row(what=f"{what}: {name}", measured=measured, goal="≤ 1.3", met=ratio <= 1.3)
    per_trace = (send.cpu - find.cpu) / (SESSIONS * TURNS) * 1000
    yield Row(what=f"a trace of {CALLS} calls", measured=f"{per_trace:.1f} ms", goal="–", met=True)
    yield Row.figure("peak of a backfill", max(find.peak, send.peak, again.peak), 150, "MiB")


def write_sessions(machine: Machine, directory: Path, count: int) -> int:
    """Write sessions a day apart from now, as Codex does; return their bytes."""
    template = machine.home / "template.jsonl"
    session = Session(spool=machine.home / "unused.spool", transcript=template, project=machine.project)
    for number in range(TURNS):
        session.append_turn(number, tools=CALLS, filler=OUTPUT)
    content = _realistic(template.read_bytes(), machine.project)
    for path in (template, session.spool):
        path.unlink()
    for number in range(count):
        copy = content.replace(b"01a2088e", b"%08x" % (0x01A00000 + number))
        thread = json.loads(copy[: copy.index(b"\n")])["payload"]["id"]
        day = directory / "2026" / f"{number % 12 + 1:02}" / f"{number % 28 + 1:02}"
        day.mkdir(parents=True, exist_ok=True)
        path = day / f"rollout-2026-01-01T10-00-00-{thread}.jsonl"
        path.write_bytes(copy)
        written = time.time() - 86_400 - 60 * number
        os.utime(path, (written, written))
    return count * len(content)


def _realistic(content: bytes, project: Path) -> bytes:
    """The transcript with instructions in its first line, outputs of several lines, and calls that succeed."""
    first, _, rest = content.partition(b"\n")
    meta = json.loads(first)
    meta["payload"] |= {"base_instructions": {"text": INSTRUCTIONS}, "cwd": str(project)}
    output = json.dumps(_LINE * (OUTPUT // len(_LINE)))[1:-1].encode()
    rest = rest.replace(b"x" * OUTPUT, output).replace(b"/home/dev/project", str(project).encode())
    rest = re.sub(rb'"exit_code": \d+', b'"exit_code": 0', rest)
    rest = re.sub(rb"exited with code \d+", b"exited with code 0", rest).replace(b'"failed"', b'"completed"')
    return json.dumps(meta).encode() + b"\n" + rest
