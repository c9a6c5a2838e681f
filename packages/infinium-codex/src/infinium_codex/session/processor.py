"""Makes traces of what ended in a session: read on from the checkpoint, fold, queue, remember.

The order is what survives a kill: a trace is in the outbox before the checkpoint passes its turn, and the checkpoint
is written before the spool is removed.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from infinium_config import Settings
from infinium_trace import Session, Subagent, SummaryBuilder, Turn, TurnStatus, fold
from infinium_trace.events import Event, EventSource, TurnEnded
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.agent import Agent
from infinium_codex.capture.records import bring_over, remove_spool, session_of, set_aside
from infinium_codex.session.checkpoint import SUFFIX as STATE_SUFFIX
from infinium_codex.session.checkpoint import Checkpoint, Mark, remember
from infinium_codex.session.reader import Reading, read_session
from infinium_codex.session.trace_builder import Tracer
from infinium_codex.support.error_log import record_error
from infinium_codex.support.paths import Places
from infinium_codex.support.settings import load_settings

SESSION_ENDED = "session ended"
STALE = "nothing was heard of the session any more"
SUPERSEDED = "interrupted before the next prompt"


class Drained(Struct, frozen=True, kw_only=True):
    """What became of a spool."""

    settings: Settings
    end: int
    """Length up to which the spool, as it is now, has been worked off; what is torn at its end included."""
    waits: bool
    """Something in it is left to do: a turn that is not over, or the session's summary."""


def drain(
    agent: Agent, spool: Path, places: Places, environ: Mapping[str, str], *, stale: bool = False, final: bool = False
) -> Drained | None:
    """Queue a trace for every turn that ended, and the summary of a session that did; None where that cannot be.

    A `stale` session counts as ended, unless a turn of it is open and a Codex that lives has it; `final` says that
    even then.
    """
    state = spool.with_suffix(STATE_SUFFIX)
    checkpoint = Checkpoint.load(state)
    bring_over(spool, checkpoint.next.spool)
    reading = read_session(agent, spool, checkpoint.next, checkpoint)
    _keep_foreign(spool, reading, places)
    if reading.cwd is None:
        return None
    settings = load_settings(places, Path(reading.cwd), environ)
    if settings is None:
        return None
    tracer = Tracer.open(agent.program, session_of(spool), Path(reading.cwd), places, environ, settings)
    if tracer is None:
        return None
    if checkpoint.next.spool and checkpoint.next.head != reading.spool_head:
        checkpoint = checkpoint.without_spool(reading.spool_head)
        _tell_of_removed(spool, checkpoint, places)
    found = _fold(reading, ended=None)
    ended = SESSION_ENDED if reading.session_ended else None
    if stale and not reading.more and ended is None and (final or not found.open or not _lives(agent, reading)):
        ended = STALE
    if ended is not None:
        found = _fold(reading, ended=ended)
    of_user = found.session.spawned_by is None  # else the trace of the session that spawned it tells of it
    if settings.flush_on_stop.value and of_user:
        for turn in found.closed:
            tracer.queue_turn(found.session, turn)
    mark = reading.mark_before(found.open)
    checkpoint = replace(
        checkpoint,
        cwd=reading.cwd,
        transcript_path=reading.transcript_path,
        next=mark,
        done=remember(checkpoint.done, (turn.id for turn in found.closed)),
        done_agents=remember(checkpoint.done_agents, _agents(found.closed)),
    )
    if not settings.flush_on_session_end.value:
        checkpoint = replace(checkpoint, summary=mark, summary_end=None, told=checkpoint.done, untold=())
    checkpoint.save(state)
    waits = reading.more or bool(found.open)
    reading.events.clear()  # a summary is to have the memory they take
    del found
    if checkpoint.summary_end is not None:  # a worker was killed while it summed up: first what it had begun
        checkpoint = _summarise(agent, spool, checkpoint, checkpoint.summary_end, tracer, ended or SESSION_ENDED)
    if ended is not None and (checkpoint.summary != mark or checkpoint.untold):
        checkpoint = replace(checkpoint, summary_end=mark)
        checkpoint.save(state)
        checkpoint = _summarise(agent, spool, checkpoint, mark, tracer, ended)
        checkpoint = replace(checkpoint, told=checkpoint.done)
        checkpoint.save(state)
    waits = waits or checkpoint.summary.spool < reading.spool_end
    if not waits and remove_spool(spool, reading.spool_end, reading.spool_size):
        restarted = replace(checkpoint.next, spool=0, head=0)
        replace(checkpoint, next=restarted, summary=restarted).save(state)
        return Drained(settings=settings, end=0, waits=False)
    return Drained(settings=settings, end=reading.spool_end if reading.more else reading.spool_size, waits=waits)


class _Folded(Struct, frozen=True, kw_only=True):
    session: Session
    closed: tuple[Turn, ...]
    """Turns to trace: over, and so are their subagents."""
    open: frozenset[str]


def _fold(reading: Reading, *, ended: str | None) -> _Folded:
    """The session as read. With `ended`, the reason why nothing more comes, no turn stays open."""
    session = fold(reading.events)
    running = {turn.id for turn in _hooked(session, reading) if turn.status is TurnStatus.RUNNING}
    cut_short = running if ended is not None else running & reading.superseded
    if cut_short:
        session = fold([*reading.events, *_ends(reading.events, cut_short, ended or SUPERSEDED)])
    working = {turn for turns in reading.agent_turns.values() for turn, over in turns.items() if not over}
    open_turns: set[str] = set()
    if ended is None:
        open_turns = running - cut_short
        open_turns |= {turn.id for turn in _hooked(session, reading) if working & set(_agents([turn]))}
    return _Folded(
        session=session,
        closed=tuple(turn for turn in _hooked(session, reading) if turn.id not in open_turns),
        open=frozenset(open_turns),
    )


def _hooked(session: Session, reading: Reading) -> list[Turn]:
    return [turn for turn in session.turns if turn.id in reading.hooked]


def _agents(turns: Iterable[Turn]) -> list[str]:
    """The subagents of these turns, and their own turns."""
    found = [step for turn in turns for step in turn.steps if isinstance(step, Subagent)]
    return [name for agent in found for name in (agent.subagent_id, *sorted(agent.turns))]


def _ends(events: list[Event], turns: set[str], reason: str) -> list[Event]:
    """Events that end turns which were cut short: when the last was heard of them."""
    last = {turn: max((event.at_ms for event in events if event.turn_id == turn), default=0) for turn in turns}
    return [
        TurnEnded(at_ms=last[turn], source=EventSource.HOOK, turn_id=turn, status=TurnStatus.INTERRUPTED, reason=reason)
        for turn in sorted(turns)
    ]


def _lives(agent: Agent, reading: Reading) -> bool:
    return reading.transcript_path is not None and agent.is_running(Path(reading.transcript_path))


def _summarise(agent: Agent, spool: Path, checkpoint: Checkpoint, end: Mark, tracer: Tracer, reason: str) -> Checkpoint:
    """Queue the summary of the turns up to `end`; the next part, if the user comes back, begins behind it."""
    told = replace(checkpoint, done=checkpoint.told, done_agents=())
    mark: Mark | None = checkpoint.summary
    summary = tracer.summary()
    while mark is not None:
        told, mark = _sum_up(agent, spool, mark, end, told, summary, reason)
    part = checkpoint.part
    if summary.first_turn_id is not None:
        tracer.queue_summary(summary, part)
        part += 1
    told_now = remember(checkpoint.told, told.done[len(checkpoint.told) :])
    return replace(checkpoint, summary=end, summary_end=None, part=part, told=told_now, untold=())


def _sum_up(
    agent: Agent, spool: Path, mark: Mark, end: Mark, told: Checkpoint, summary: SummaryBuilder, reason: str
) -> tuple[Checkpoint, Mark | None]:
    """Add one slice to the summary; gives what has been told by then, and where the next slice begins.

    A slice is a function's: nothing of it is left when the next one is read.
    """
    reading = read_session(agent, spool, mark, told, until=end.spool, hooked=told.untold, patience=0.0)
    found = _fold(reading, ended=None if reading.more else reason)
    if found.session.spawned_by is None:
        summary.add(found.session, found.closed)
    told = replace(
        told,
        done=(*told.done, *(turn.id for turn in found.closed)),
        done_agents=(*told.done_agents, *_agents(found.closed)),
    )
    return told, reading.mark_before(found.open) if reading.more else None


def _keep_foreign(spool: Path, reading: Reading, places: Places) -> None:
    """Set aside, and tell of, what an older or newer connector's hook has written: nobody here can read it."""
    for damage in reading.foreign:
        kept = set_aside(spool, damage)
        if kept is not None:
            message = f"Events were written by another version of the connector. They are kept, unread, as {kept}"
            record_error(places, "spool", message, {"session": session_of(spool)})


def _tell_of_removed(spool: Path, checkpoint: Checkpoint, places: Places) -> None:
    """Say that a summary has to do without what hooks saw; not where all the spool had held was told."""
    if checkpoint.untold:
        turns = f"{len(checkpoint.untold)} finished {'turn' if len(checkpoint.untold) == 1 else 'turns'}"
        message = f"The events of {turns} were removed by another program before they were summed up. "
        record_error(
            places, "spool", message + "The summary is made from Codex's transcript.", {"session": session_of(spool)}
        )
