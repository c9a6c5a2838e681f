"""Queues the summary of a session: reads its turns again, slice by slice, from where the last summary ended."""

from infinium_trace import SummaryBuilder
from msgspec.structs import replace

from infinium_codex.agent import Agent
from infinium_codex.session.checkpoint import Checkpoint, ReadPosition, remember
from infinium_codex.session.files import SessionFiles
from infinium_codex.session.plan import select_turns, subagents_of
from infinium_codex.session.reader import read_session
from infinium_codex.session.trace_builder import Tracer


def queue_summary(
    agent: Agent, files: SessionFiles, checkpoint: Checkpoint, end: ReadPosition, tracer: Tracer, reason: str
) -> Checkpoint:
    """Queue the summary of the turns up to `end`, and return the checkpoint of a session that has it.

    `reason` is why the session ended. Turns after `end` belong to the next part.
    """
    # The copy leaves out the turns of earlier summaries, and collects those of this one.
    seen = replace(checkpoint, closed_turns=checkpoint.summarized_turns, closed_subagents=())
    position: ReadPosition | None = checkpoint.summary_start
    summary = tracer.summary()
    while position is not None:
        seen, position = _add_slice(agent, files, position, end, seen, summary, reason)
    part = checkpoint.summary_part
    if summary.first_turn_id is not None:
        tracer.queue_summary(summary, part)
        part += 1
    new_turns = seen.closed_turns[len(checkpoint.summarized_turns) :]
    return replace(
        checkpoint,
        summary_start=end,
        summary_end=None,
        summary_part=part,
        summarized_turns=remember(checkpoint.summarized_turns, new_turns),
        turns_without_spool=(),
    )


def _add_slice(
    agent: Agent,
    files: SessionFiles,
    start: ReadPosition,
    end: ReadPosition,
    seen: Checkpoint,
    summary: SummaryBuilder,
    reason: str,
) -> tuple[Checkpoint, ReadPosition | None]:
    """Add one slice; return the turns seen so far, and where the next slice begins.

    A function of its own, so that a slice's events are freed before the next one is read.
    """
    reading = read_session(
        agent, files.spool, start, seen, until=end.spool, hook_turns=seen.turns_without_spool, patience=0.0
    )
    selection = select_turns(reading, end_reason=None if reading.more else reason)
    if selection.session.spawned_by is None:
        summary.add(selection.session, selection.closed)
    seen = replace(
        seen,
        closed_turns=(*seen.closed_turns, *(turn.id for turn in selection.closed)),
        closed_subagents=(*seen.closed_subagents, *subagents_of(selection.closed)),
    )
    return seen, reading.position_before(selection.open) if reading.more else None
