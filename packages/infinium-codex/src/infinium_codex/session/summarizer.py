"""Queues the summaries of a session: reads its turns again, slice by slice, from where the last summary ended.

A summary covers one agent's turns in one project. A session that moved between projects gets several.
"""

from infinium_trace import SummaryBuilder, Turn
from msgspec.structs import replace

from infinium_codex.agent import Agent
from infinium_codex.session.checkpoint import Checkpoint, ReadPosition, remember
from infinium_codex.session.files import SessionFiles
from infinium_codex.session.plan import select_turns, subagents_of
from infinium_codex.session.reader import read_session
from infinium_codex.session.recipients import Recipient, Recipients
from infinium_codex.session.trace_builder import RecipientId

Summaries = dict[RecipientId, tuple[Recipient, SummaryBuilder]]
"""The summaries by the identity of their recipient, in the order of their first turns."""


def queue_summaries(
    agent: Agent, files: SessionFiles, checkpoint: Checkpoint, end: ReadPosition, recipients: Recipients, reason: str
) -> Checkpoint:
    """Queue the summaries of the turns up to `end`, and return the checkpoint of a session that has them.

    `reason` is why the session ended. Turns after `end` belong to the next part.
    """
    # The copy leaves out the turns of earlier summaries, and collects those of this one.
    seen = replace(checkpoint, closed_turns=checkpoint.summarized_turns, closed_subagents=())
    position: ReadPosition | None = checkpoint.summary_start
    summaries: Summaries = {}
    while position is not None:
        seen, position = _add_slice(agent, files, position, end, seen, recipients, summaries, reason)
    part = checkpoint.summary_part
    for recipient, summary in summaries.values():
        recipient.tracer.queue_summary(summary, part)
        part += 1
    new_turns = seen.closed_turns[len(checkpoint.summarized_turns) :]
    return replace(
        checkpoint,
        summary_start=end,
        summary_end=None,
        summary_part=part,
        summarized_turns=remember(checkpoint.summarized_turns, new_turns),
        turns_without_spool=(),
    ).with_changes({})


def _add_slice(
    agent: Agent,
    files: SessionFiles,
    start: ReadPosition,
    end: ReadPosition,
    seen: Checkpoint,
    recipients: Recipients,
    summaries: Summaries,
    reason: str,
) -> tuple[Checkpoint, ReadPosition | None]:
    """Add one slice; return the turns seen so far, and where the next slice begins.

    A function of its own, so that a slice's events are freed before the next one is read.
    """
    reading = read_session(
        agent, files.spool, start, seen, until=end.spool, hook_turns=seen.turns_without_spool, patience=0.0
    )
    selection = select_turns(reading, end_reason=None if reading.more else reason)
    recipients.learn(reading)
    if users := reading.users_turns(selection.session, selection.closed):
        turns = _by_recipient(users, recipients, summaries)
        for identity, (_, summary) in summaries.items():
            summary.add(selection.session, turns.get(identity, ()), seen.changes)
    seen = replace(
        seen,
        closed_turns=(*seen.closed_turns, *(turn.id for turn in selection.closed)),
        closed_subagents=(*seen.closed_subagents, *subagents_of(selection.closed)),
    )
    return seen, reading.position_before(selection.open) if reading.more else None


def _by_recipient(
    turns: tuple[Turn, ...], recipients: Recipients, summaries: Summaries
) -> dict[RecipientId, list[Turn]]:
    """The turns of each project that wants a summary; begins the summary of a project that is new."""
    found: dict[RecipientId, list[Turn]] = {}
    for turn in turns:
        recipient = recipients.of(turn.id)
        if recipient is not None and recipient.wants_summary:
            found.setdefault(recipient.identity, []).append(turn)
            summaries.setdefault(recipient.identity, (recipient, recipient.tracer.summary()))
    return found
