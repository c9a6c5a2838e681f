"""Reads a session from a position on: the spool's hook calls, then the transcripts.

A reading is bounded: a long spool is read in slices, each ending behind a turn, and of a transcript only the events of
turns that are traced now are kept.
"""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from infinium_trace.events import EventSource, RecordSkipped, TurnStarted
from msgspec.structs import replace

from infinium_codex.agent import Agent, HookCall
from infinium_codex.capture.frame import PROJECT
from infinium_codex.capture.records import Damage, Record, read_records
from infinium_codex.session.checkpoint import Checkpoint, ReadPosition
from infinium_codex.session.copies import Copies
from infinium_codex.session.pauses import HookTime, find_pauses, read_marks
from infinium_codex.session.reading import EventFilter, Reading
from infinium_codex.session.snapshot import from_record
from infinium_codex.session.transcripts import Wait, read_transcripts
from infinium_codex.support.files import first_line_checksum
from infinium_codex.support.json_fields import parse_object

QUIET_SECONDS = 10.0
"""How long a transcript that lacks the end of a turn may stand still: a hook runs before the last records are there."""
SLICE_BYTES = 1 << 18
"""A slice ends behind the first turn that ended after this many bytes of the spool."""


def read_session(
    agent: Agent,
    spool: Path,
    start: ReadPosition,
    checkpoint: Checkpoint,
    *,
    until: int | None = None,
    hook_turns: Iterable[str] = (),
    patience: float = QUIET_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Reading:
    """Read spool and transcripts from `start` on, without the turns and subagents that `checkpoint` has as closed.

    The spool is read up to the offset `until`. `hook_turns` are turns that a hook saw and that the spool no longer
    has. A transcript that lacks the end of a turn is read again until it stood still for `patience` seconds.
    """
    reading = Reading(cwd=checkpoint.cwd, transcript_path=checkpoint.transcript_path, hook_turns=set(hook_turns))
    _read_spool(agent, spool, start, until, reading)
    reading.pauses = find_pauses(read_marks(spool), reading.hook_times)
    events = EventFilter.of(reading, checkpoint)
    reading.events = [event for event in reading.events if events.wants(event)]
    wait = Wait(patience=patience, clock=clock, sleep=sleep)
    read_transcripts(agent, spool.parent, start.transcript, reading, events, wait)
    return reading


def _read_spool(agent: Agent, spool: Path, position: ReadPosition, until: int | None, reading: Reading) -> None:
    reading.spool_head = first_line_checksum(spool)
    try:
        file = spool.open("rb")
    except FileNotFoundError:
        return
    with file:
        start = position.spool if reading.spool_head == position.spool_head else 0
        reading.spool_end = start
        reading.spool_size = file.seek(0, os.SEEK_END)
        copies = Copies()
        project: Record | None = None
        for record in read_records(file, start):
            if until is not None and record.start >= until:
                break
            reading.spool_end = record.end
            if isinstance(record, Record) and record.event == PROJECT:
                project = record  # of the next record, which the hook wrote together with it
                continue
            _add_record(agent, record, project, reading, copies)
            project = None
            if _is_slice_complete(reading, record.end - start):
                reading.more = record.end < (spool.stat().st_size if until is None else until)
                break


def _is_slice_complete(reading: Reading, size: int) -> bool:
    return bool(reading.ended) and size > SLICE_BYTES and not reading.session_ended


def _add_record(
    agent: Agent, record: Record | Damage, project: Record | None, reading: Reading, copies: Copies
) -> None:
    if isinstance(record, Damage):
        what = "spool:other version" if record.foreign else "spool:damaged"
        reading.events.append(RecordSkipped(at_ms=0, source=EventSource.HOOK, what=what))
        if record.foreign:
            reading.add_foreign(record)
    elif not copies.is_copy(record):
        _add_hook_call(agent, record, project, reading)


def _add_hook_call(agent: Agent, record: Record, project: Record | None, reading: Reading) -> None:
    payload = parse_object(record.payload)
    if payload is None:
        what = f"hook:{record.event}:unreadable"
        reading.events.append(RecordSkipped(at_ms=record.at_ms, source=EventSource.HOOK, what=what))
        return
    call = agent.translate(payload, record.at_ms)
    for event in call.events:
        reading.note_subagent_turn(event)
    call = replace(call, events=tuple(map(reading.as_users, call.events)))
    reading.hook_times.append(HookTime(record.at_ms, _begun_turn(call, reading)))
    for event in call.events:
        reading.events.append(event)
        # Else it is an event about the subagent, not of it.
        if event.subagent_id == call.subagent_id or event.turn_id in reading.resumed_subagents:
            reading.add_hook_event(event, record.start if project is None else project.start)
        if call.turn_transcript is not None and event.turn_id is not None:
            reading.turn_transcripts[event.turn_id] = call.turn_transcript
    reading.cwd = call.cwd or reading.cwd
    _note_project(call, project, reading)
    if call.subagent_id is None:
        reading.transcript_path = call.transcript_path or reading.transcript_path
    elif call.transcript_path is not None and call.transcript_path != reading.transcript_path:
        reading.subagent_transcripts[call.subagent_id] = call.transcript_path


def _begun_turn(call: HookCall, reading: Reading) -> str | None:
    """The turn that begins with the prompt of this call; None if the turn was seen before, or there is no prompt."""
    for event in call.events:
        if isinstance(event, TurnStarted) and event.prompt is not None and event.subagent_id is None:
            return None if event.turn_id in reading.hook_turns else event.turn_id
    return None


def _note_project(call: HookCall, project: Record | None, reading: Reading) -> None:
    """Note the directory, and the project if the hook recorded it, of a turn whose first event this is."""
    for event in call.events:
        if event.turn_id is None or event.subagent_id is not None or event.turn_id in reading.turn_cwds:
            continue
        cwd = call.cwd or reading.cwd or "/"
        reading.turn_cwds[event.turn_id] = cwd
        if project is not None:
            reading.projects[event.turn_id] = from_record(project.payload, cwd)
