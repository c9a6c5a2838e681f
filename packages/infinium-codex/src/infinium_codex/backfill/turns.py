"""Lists the turns that Codex has, and what became of each."""

import time
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from infinium_config.variables import session_ttl
from infinium_trace import trace_key
from msgspec import Struct

from infinium_codex.backfill.projects import Projects, TracedProject, Untraceable
from infinium_codex.codex.session_files import SessionFile, find_transcripts
from infinium_codex.codex.threads import ThreadKind
from infinium_codex.codex.transcript.turn_spans import TurnSpan, read_turn_spans
from infinium_codex.session.known_traces import KnownTrace, KnownTraces, TraceState
from infinium_codex.session.pause_log import Pauses
from infinium_codex.support.paths import Places
from infinium_codex.support.processes import open_files

RECENT_SECONDS = 60.0
"""The worker may still be tracing a turn that ended less than this ago."""


class Missing(StrEnum):
    """Why a turn has no trace, as far as its state tells."""

    NEVER_TRACED = "never traced"
    RUNNING = "running"
    """It runs, or has just ended and may still be traced."""
    PAUSED = "paused"
    UNKNOWN = "unknown"
    """It is older than the ledger, which has lost its first entries."""


class FoundTurn(Struct, frozen=True, kw_only=True):
    """A turn of the user's and the state of its trace."""

    session: SessionFile
    span: TurnSpan
    key: str
    directory: str
    """Where it ran."""
    project: TracedProject | Untraceable
    known: KnownTrace | None
    missing: Missing | None
    """None if the trace is known."""

    @property
    def ended_ms(self) -> int:
        """When the turn ended at the latest, in UTC epoch milliseconds."""
        return latest_end(self.session, self.span)

    @property
    def state(self) -> str:
        """The state in words."""
        return str(self.known.state if self.known is not None else self.missing)

    @property
    def is_missing(self) -> bool:
        """Whether the trace should be made: it was never made, or was dropped before it was sent."""
        return self.missing is Missing.NEVER_TRACED or (
            self.known is not None and self.known.state is TraceState.DROPPED
        )


def latest_end(session: SessionFile, span: TurnSpan) -> int:
    """Return when a turn ended at the latest: its end, else the next turn's start, else the session's last write."""
    return span.ended_ms or span.next_ms or round(session.modified * 1000)


class FoundSession(Struct, frozen=True, kw_only=True):
    """A session, its turns and the transcripts of its reviews."""

    file: SessionFile
    spans: tuple[TurnSpan, ...]
    turns: tuple[FoundTurn, ...]
    reviews: tuple[Path, ...] = ()
    damaged: bool = False
    """Whether the transcript cannot be read."""

    @property
    def is_running(self) -> bool:
        """Whether a turn of it runs."""
        return any(turn.missing is Missing.RUNNING for turn in self.turns)


class TurnFinder:
    """Finds sessions and their turns."""

    def __init__(
        self,
        places: Places,
        environ: Mapping[str, str],
        known: KnownTraces,
        projects: Projects,
        pauses: Pauses,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._places, self._known, self._projects, self._pauses = places, known, projects, pauses
        self._clock, self._ttl = clock, session_ttl(environ)
        self._open: frozenset[str] | None = None

    def sessions(self, home: Path, *, since: float = 0.0, id_prefix: str = "") -> list["SessionToRead"]:
        """Return the user's sessions below Codex's `home` that were written since then, the oldest first."""
        opened = [found.open() for found in find_transcripts(home, since=since)]
        threads = [session for session in opened if session is not None]
        reviews: dict[str, list[Path]] = {}
        for thread in threads:
            if thread.meta.kind is ThreadKind.REVIEW and thread.meta.parent is not None:
                reviews.setdefault(thread.meta.parent, []).append(thread.path)
        users = [thread for thread in threads if thread.is_users and thread.session_id.startswith(id_prefix)]
        users.sort(key=lambda one: one.meta.started_ms)
        return [SessionToRead(file=one, reviews=tuple(sorted(reviews.get(one.session_id, ())))) for one in users]

    def read(self, session: "SessionToRead") -> FoundSession:
        """Find the turns of a session."""
        file = session.file
        try:
            spans = read_turn_spans(file.path)
        except OSError:
            return FoundSession(file=file, spans=(), turns=(), damaged=True)
        turns = tuple(self._turns(file, spans))
        return FoundSession(file=file, spans=spans, turns=turns, reviews=session.reviews)

    def _turns(self, session: SessionFile, spans: tuple[TurnSpan, ...]) -> Iterator[FoundTurn]:
        for span in spans:
            key = trace_key(session.session_id, None, span.turn_id, "turn")
            directory = span.cwd or session.meta.cwd or ""
            project = self._projects.at(directory) if directory else Untraceable.NO_PROJECT
            known = self._known.of(key, span.turn_id, session.session_id)
            if known is None and isinstance(project, TracedProject):
                known = self._summary_with(span, session.session_id, project)
            yield FoundTurn(
                session=session,
                span=span,
                key=key,
                directory=directory,
                project=project,
                known=known,
                missing=None if known is not None else self._missing(session, span, project),
            )

    def _summary_with(self, span: TurnSpan, session: str, project: TracedProject) -> KnownTrace | None:
        """The summary that contains the turn, in a project whose turns have no traces of their own."""
        summarized = self._known.summarized_until(session)
        if project.settings.flush_on_stop.value or span.ended_ms is None or span.ended_ms / 1000 > summarized:
            return None
        return KnownTrace(state=TraceState.SUMMARIZED, at=summarized)

    def _missing(self, session: SessionFile, span: TurnSpan, project: TracedProject | Untraceable) -> Missing:
        if self._is_running(session, span):
            return Missing.RUNNING
        ended_ms = latest_end(session, span)
        config_path = project.config_path if isinstance(project, TracedProject) else None
        if project is Untraceable.PAUSED or self._pauses.covers(
            session.session_id, config_path, span.started_ms, ended_ms
        ):
            return Missing.PAUSED
        return Missing.UNKNOWN if ended_ms / 1000 < self._known.begins else Missing.NEVER_TRACED

    def _is_running(self, session: SessionFile, span: TurnSpan) -> bool:
        now = self._clock()
        if span.ended_ms is not None:
            return now - span.ended_ms / 1000 < RECENT_SECONDS
        if span.superseded:
            return False
        return now - session.modified < self._ttl or session.path.name in self._open_transcripts()

    def _open_transcripts(self) -> frozenset[str]:
        """The names of the files that processes of this user have open. The system is asked once."""
        if self._open is None:
            self._open = frozenset(Path(path).name for path in open_files())
        return self._open


class SessionToRead(Struct, frozen=True, kw_only=True):
    """A session whose turns were not looked for yet."""

    file: SessionFile
    reviews: tuple[Path, ...]
