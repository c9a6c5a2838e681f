"""Decides what a reading leads to: which turns are closed, whether the session has ended, and the next checkpoint.

Pure, except for one question that is asked only where the answer matters: whether the agent still runs the session.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum

from infinium_trace import Session, Subagent, Turn, TurnStatus, fold
from infinium_trace.events import Event, EventSource, TurnEnded
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.session.checkpoint import Checkpoint, remember
from infinium_codex.session.reading import Reading

SESSION_ENDED = "session ended"
TIMED_OUT = "session timed out"
SUPERSEDED = "interrupted before the next prompt"
PAUSED = "recording was paused"


class ClosePolicy(StrEnum):
    """When a session counts as ended."""

    when_ended = "when the agent ended it"
    when_idle = "also without an end, unless a turn is open that the agent still runs"
    always = "also while a turn is open"


class Plan(Struct, frozen=True, kw_only=True):
    """What to do after a reading, in this order: queue the turns, save the checkpoint, summarize."""

    session: Session
    turns: tuple[Turn, ...]
    """Turns that are over and not yet traced."""
    checkpoint: Checkpoint
    """The checkpoint that is right once these traces are queued."""
    end_reason: str | None
    """Why the session ended and is summarized; None while it goes on."""
    has_open_turns: bool


class Selection(Struct, frozen=True, kw_only=True):
    """The turns of a reading."""

    session: Session
    closed: tuple[Turn, ...]
    """Turns that are over, with all of their subagents."""
    open: frozenset[str]


def make_plan(
    reading: Reading,
    checkpoint: Checkpoint,
    *,
    policy: ClosePolicy,
    is_running: Callable[[], bool],
    summarize: bool,
) -> Plan:
    """Plan what follows from a reading that began at `checkpoint.next_turn`.

    `is_running` tells whether a process of the agent has the session open. `summarize` says whether a project of the
    session wants a summary.
    """
    selection = select_turns(reading, end_reason=None)
    end_reason = _end_reason(reading, selection, policy, is_running)
    if end_reason is not None:
        selection = select_turns(reading, end_reason=end_reason)
    return Plan(
        session=selection.session,
        turns=reading.users_turns(selection.session, selection.closed),
        checkpoint=_advance(checkpoint, reading, selection, keep_for_summary=summarize),
        end_reason=end_reason,
        has_open_turns=bool(selection.open),
    )


def select_turns(reading: Reading, *, end_reason: str | None) -> Selection:
    """Sort the turns of a reading into closed and open ones. With `end_reason` no turn stays open.

    Turns that the next prompt or the session's end cut short get an end.
    """
    session = fold(reading.events)
    running = {turn.id for turn in _hook_turns(session, reading) if turn.status is TurnStatus.RUNNING}
    cut_short = running & reading.superseded if end_reason is None else running
    if cut_short:
        session = fold([*reading.events, *_end_events(reading, cut_short, end_reason or SUPERSEDED)])
    turns = _hook_turns(session, reading)
    open_turns = frozenset[str]()
    if end_reason is None:
        open_turns = frozenset((running - cut_short) | _waiting_for_subagents(turns, reading))
    return Selection(
        session=session, closed=tuple(turn for turn in turns if turn.id not in open_turns), open=open_turns
    )


def subagents_of(turns: Iterable[Turn]) -> list[str]:
    """The subagents of these turns, and the subagents' own turns."""
    found = [step for turn in turns for step in turn.steps if isinstance(step, Subagent)]
    return [name for subagent in found for name in (subagent.subagent_id, *sorted(subagent.turns))]


def _end_reason(
    reading: Reading, selection: Selection, policy: ClosePolicy, is_running: Callable[[], bool]
) -> str | None:
    if reading.session_ended:
        return SESSION_ENDED
    if policy is ClosePolicy.when_ended or reading.more:
        return None
    if policy is ClosePolicy.when_idle and selection.open and is_running():
        return None
    return TIMED_OUT


def _advance(checkpoint: Checkpoint, reading: Reading, selection: Selection, *, keep_for_summary: bool) -> Checkpoint:
    position = reading.position_before(selection.open)
    advanced = replace(
        checkpoint,
        cwd=reading.cwd,
        transcript_path=reading.transcript_path,
        next_turn=position,
        closed_turns=remember(checkpoint.closed_turns, (turn.id for turn in selection.closed)),
        closed_subagents=remember(checkpoint.closed_subagents, subagents_of(selection.closed)),
    )
    if keep_for_summary:
        return advanced
    return replace(
        advanced,
        summary_start=position,
        summary_end=None,
        summarized_turns=advanced.closed_turns,
        turns_without_spool=(),
    )


def _hook_turns(session: Session, reading: Reading) -> list[Turn]:
    return [turn for turn in session.turns if turn.id in reading.hook_turns]


def _waiting_for_subagents(turns: list[Turn], reading: Reading) -> set[str]:
    """Turns of which a hook saw a subagent begin a turn, and neither a hook nor its transcript has the end."""
    subagent_turns = (turn for turns in reading.subagent_turns.values() for turn in turns.items())
    recorded = {event.turn_id for event in reading.events if isinstance(event, TurnEnded) and event.subagent_id}
    working = {turn for turn, ended in subagent_turns if not ended} - recorded
    return {turn.id for turn in turns if working.intersection(subagents_of([turn]))}


def _end_events(reading: Reading, turns: set[str], reason: str) -> list[Event]:
    """Events that end turns as interrupted, each at the time of its last event; a pause hides how such a turn ended."""
    events = reading.events
    last = {turn: max((event.at_ms for event in events if event.turn_id == turn), default=0) for turn in turns}
    paused = {turn for turn in turns if any(pause.start_ms >= last[turn] for pause in reading.pauses)}
    return [
        TurnEnded(
            at_ms=last[turn],
            source=EventSource.HOOK,
            turn_id=turn,
            status=TurnStatus.INTERRUPTED,
            reason=PAUSED if turn in paused else reason,
        )
        for turn in sorted(turns)
    ]
