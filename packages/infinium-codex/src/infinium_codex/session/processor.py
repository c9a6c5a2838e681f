"""Traces what is new in a session, and closes a session.

The order of the steps is what survives a kill: a trace is in the outbox before the checkpoint passes its turn, and the
checkpoint is written before the spool is removed.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from infinium_config import Settings, resolve
from infinium_config.files import remove_file
from infinium_trace import TreeChanges
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.agent import Agent
from infinium_codex.session.checkpoint import Checkpoint
from infinium_codex.session.files import SessionFiles
from infinium_codex.session.plan import SESSION_ENDED, ClosePolicy, Plan, make_plan
from infinium_codex.session.reader import read_session
from infinium_codex.session.reading import Reading
from infinium_codex.session.recipients import Recipients
from infinium_codex.session.summarizer import queue_summaries
from infinium_codex.support.error_log import record_error
from infinium_codex.support.paths import Places
from infinium_codex.support.settings import load_settings


class State(StrEnum):
    """What is left to do for a session."""

    done = "nothing"
    pending = "a turn is open, or the session's summary is still to come"
    blocked = "it cannot be traced now: its settings cannot be read, or it has no agent id"
    resumed = "events came in while the session was to be closed"
    lost = "its files are gone"


class Progress(Struct, frozen=True, kw_only=True):
    """How far a session got."""

    state: State
    settings: Settings | None = None
    """The settings of the session's project; None where it is blocked, or there was nothing to read."""
    more: bool = False
    """Whether the spool is long, and this was only a part of it."""
    read_to: int = 0
    """Length of the spool up to which it was read, with a torn record at its end. A longer spool has new events."""


class _Opened(Struct, frozen=True, kw_only=True):
    reading: Reading
    checkpoint: Checkpoint
    settings: Settings
    """The settings at the session's present directory."""
    recipients: Recipients


def trace_session(
    agent: Agent,
    files: SessionFiles,
    places: Places,
    environ: Mapping[str, str],
    *,
    policy: ClosePolicy = ClosePolicy.when_ended,
) -> Progress:
    """Queue a trace for every turn that ended, and the summary of a session that ended. Call with the lock held.

    A long spool takes several calls, until `read_to` is its length.
    """
    opened = _open(agent, files, places, environ)
    if opened is None:
        return Progress(state=State.blocked)
    reading, settings, recipients = opened.reading, opened.settings, opened.recipients
    plan = make_plan(
        reading,
        opened.checkpoint,
        policy=policy,
        is_running=lambda: _is_running(agent, reading.transcript_path, reading.cwd),
        summarize=_wants_summary(opened),
    )
    changes = _queue_turns(plan, recipients)
    if changes is None:
        return Progress(state=State.blocked, settings=settings, read_to=reading.spool_size)
    open_turns = reading.hook_turns.difference(plan.checkpoint.closed_turns)
    projects = recipients.snapshots(sorted(open_turns.union(plan.checkpoint.unsummarized)))
    checkpoint = plan.checkpoint.with_projects(projects).with_changes(changes)
    files.save_checkpoint(checkpoint)
    end_reason, has_open_turns = plan.end_reason, plan.has_open_turns
    reading.events.clear()  # a summary may need the memory that the turns take
    del plan
    checkpoint = _summarize(agent, files, checkpoint, recipients, end_reason)
    pending = reading.more or has_open_turns or checkpoint.summary_start.spool < reading.spool_end
    if not pending and files.remove_spool(reading.spool_end, reading.spool_size):
        start = replace(checkpoint.next_turn, spool=0, spool_head=0)
        files.save_checkpoint(replace(checkpoint, next_turn=start, summary_start=start))
        return Progress(state=State.done, settings=settings)
    traced = checkpoint.next_turn.spool
    if pending and not reading.more and 0 < traced == checkpoint.summary_start.spool:
        files.trim_spool(traced)
        start = replace(checkpoint.next_turn, spool=0, spool_head=0)
        files.save_checkpoint(replace(checkpoint, next_turn=start, summary_start=start))
        return Progress(state=State.pending, settings=settings, read_to=reading.spool_size - traced)
    return Progress(
        state=State.pending if pending else State.done,
        settings=settings,
        read_to=reading.spool_end if reading.more else reading.spool_size,
        more=reading.more,
    )


def is_running(agent: Agent, files: SessionFiles) -> bool:
    """Whether the agent has the session open, by the session's checkpoint."""
    checkpoint = files.load_checkpoint()
    return _is_running(agent, checkpoint.transcript_path, checkpoint.cwd)


def _is_running(agent: Agent, transcript: str | None, cwd: str | None) -> bool:
    return agent.is_running(None if transcript is None else Path(transcript), Path(cwd or "/"))


def close_session(
    agent: Agent, files: SessionFiles, places: Places, environ: Mapping[str, str], *, force: bool
) -> Progress:
    """Trace what is left of a session that has no end, and its summary. Call with the lock held.

    Without `force`, a session stays pending while the agent runs a turn of it. Turns that follow form the session's
    next part.
    """
    if not files.spool.exists():
        files.finish_removal(files.load_checkpoint().next_turn.spool)
        if files.spool.exists() and not force:
            return Progress(state=State.resumed)
        if not files.spool.exists() and not files.checkpoint.exists():
            return Progress(state=State.lost)
        force = True
    policy = ClosePolicy.always if force else ClosePolicy.when_idle
    while True:
        progress = trace_session(agent, files, places, environ, policy=policy)
        if progress.state is not State.pending or not progress.more:
            return progress


def give_up(files: SessionFiles, places: Places, progress: Progress) -> None:
    """Remove the events of a session that could not be traced for more than a day: they hold the user's prompts."""
    has_untraced = files.has_work
    remove_file(files.spool, missing_ok=True)
    if progress.state is State.blocked and has_untraced:
        message = "The events of a session were removed because they could not be traced for more than a day."
        record_error(places, "session", message, {"session": files.session_id})


def record_lost(files: SessionFiles, places: Places) -> None:
    """Note in the ledger that a session's events are gone."""
    message = (
        f"The events of a session are missing from {files.directory}: a reboot or another program removed them. "
        "Its open turn and its summary are lost."
    )
    record_error(places, "session", message, {"session": files.session_id})


def _open(agent: Agent, files: SessionFiles, places: Places, environ: Mapping[str, str]) -> _Opened | None:
    """Read what is new; None, with an error in the ledger, if it cannot be traced."""
    checkpoint = files.load_checkpoint()
    files.finish_removal(checkpoint.next_turn.spool)
    reading = read_session(agent, files.spool, checkpoint.next_turn, checkpoint)
    _keep_foreign(files, reading, places)
    if reading.cwd is None:
        return None
    settings = load_settings(places, Path(reading.cwd), environ) or resolve(environ, None, None)
    recipients = Recipients(agent.program, files.session_id, places, environ, settings, checkpoint)
    recipients.learn(reading)
    if not reading.hook_turns and not checkpoint.unsummarized and recipients.at(reading.cwd) is None:
        return None
    if checkpoint.next_turn.spool and checkpoint.next_turn.spool_head != reading.spool_head:
        checkpoint = checkpoint.without_spool(reading.spool_head)
        _record_removed(files, checkpoint, places)
    return _Opened(reading=reading, checkpoint=checkpoint, settings=settings, recipients=recipients)


def _wants_summary(opened: _Opened) -> bool:
    """Whether a project of the session's turns wants a summary; without turns, the project at its directory."""
    turns = {*opened.reading.hook_turns, *opened.checkpoint.unsummarized}
    found = [recipient for turn in turns if (recipient := opened.recipients.of(turn)) is not None]
    if not found:
        return opened.settings.flush_on_session_end.value
    return any(recipient.wants_summary for recipient in found)


def _queue_turns(plan: Plan, recipients: Recipients) -> dict[str, TreeChanges] | None:
    """Queue the traces of the plan's turns, each for the agent it belongs to; None if one has no agent.

    Returns what the turns changed that a summary will contain: when it is built, the checkout has changed further.
    """
    found: dict[str, TreeChanges] = {}
    complete = True
    for turn in plan.turns:
        recipient = recipients.of(turn.id)
        if recipient is None:
            complete = False
            continue
        if not recipient.wants_turns and not recipient.wants_summary:
            continue
        needed = recipient.tracer.sends_turns or recipient.wants_summary
        changes = recipient.tracer.changes_of(plan.session, turn) if needed else None
        if recipient.wants_turns:
            recipient.tracer.queue_turn(plan.session, turn, changes)
        if recipient.wants_summary and changes is not None and changes.files:
            found[turn.id] = changes
    return found if complete else None


def _summarize(
    agent: Agent, files: SessionFiles, checkpoint: Checkpoint, recipients: Recipients, end_reason: str | None
) -> Checkpoint:
    """Queue the summaries of a session that ended, after those that a kill interrupted; return the checkpoint then."""
    if checkpoint.summary_end is not None:
        reason = end_reason or SESSION_ENDED
        checkpoint = queue_summaries(agent, files, checkpoint, checkpoint.summary_end, recipients, reason)
        files.save_checkpoint(checkpoint)
    end = checkpoint.next_turn
    if end_reason is not None and (checkpoint.summary_start != end or checkpoint.turns_without_spool):
        checkpoint = replace(checkpoint, summary_end=end)
        files.save_checkpoint(checkpoint)
        checkpoint = queue_summaries(agent, files, checkpoint, end, recipients, end_reason)
        checkpoint = replace(checkpoint, summarized_turns=checkpoint.closed_turns)
        open_turns = {
            turn: found for turn, found in checkpoint.projects_by_turn().items() if turn not in checkpoint.closed_turns
        }
        checkpoint = checkpoint.with_projects(open_turns)
        files.save_checkpoint(checkpoint)
    return checkpoint


def _keep_foreign(files: SessionFiles, reading: Reading, places: Places) -> None:
    for damage in reading.foreign:
        kept = files.keep_unreadable(damage)
        if kept is not None:
            message = (
                f"Another version of the connector wrote events that this one cannot read. They are kept in {kept}."
            )
            record_error(places, "spool", message, {"session": files.session_id})


def _record_removed(files: SessionFiles, checkpoint: Checkpoint, places: Places) -> None:
    """Note that another program removed a spool with turns that are in no summary."""
    count = len(checkpoint.turns_without_spool)
    if count:
        turns = "1 closed turn" if count == 1 else f"{count} closed turns"
        message = (
            f"Another program removed the events of {turns} before the session's summary. "
            "The summary is built from the transcript."
        )
        record_error(places, "spool", message, {"session": files.session_id})
