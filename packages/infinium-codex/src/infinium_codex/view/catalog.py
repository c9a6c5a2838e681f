"""Finds sessions and turns for the commands that show them, in Codex's transcripts and in the stores of traces."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Self

from infinium_config import InfiniumConfigError, Settings, load
from infinium_trace import Session, TraceOptions, Turn, trace_key
from infinium_transport import DeadLetter, EntryKind, InfiniumTransportError, Queued, StateDirectory
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.program import codex_home
from infinium_codex.codex.session_files import ProjectDirectories, SessionFile, session_files
from infinium_codex.delivery.projects import ROOT_LABEL, ProjectFilter, project_directory
from infinium_codex.delivery.secrets import secrets_to_redact
from infinium_codex.delivery.stores import open_state
from infinium_codex.otlp.variables import OTLP_AGENT
from infinium_codex.session.known_traces import KnownTraces
from infinium_codex.session.trace_builder import trace_options
from infinium_codex.session.whole import WholeSession, read_whole_session
from infinium_codex.support.json_fields import parse_object
from infinium_codex.support.paths import Places
from infinium_codex.support.settings import home_directory
from infinium_codex.view.deliveries import delivery_of, delivery_of_turn
from infinium_codex.view.from_trace import summary_of_trace, view_of_trace, with_changes
from infinium_codex.view.from_transcript import summarize_turn, view_session
from infinium_codex.view.model import Delivery, SessionView, TurnSummary, TurnView
from infinium_codex.view.texts import Texts

LATEST = "latest"
_SHORTEST_PREFIX = 4
"""A shorter beginning of a key or a session id names too many."""


_LONGEST_REQUEST = 500
"""Characters of a request that a list shows at most."""


class NotOneTurnError(Exception):
    """No turn or session, or several, have the name that was given. The message says which."""


class StoredTrace(Struct, frozen=True, kw_only=True):
    """A turn's trace in the ledger, the outbox or the local store."""

    key: str
    session_id: str
    project: str
    at: float
    """When it was queued or sent, in seconds since the epoch."""


class Catalog:
    """The sessions and turns of one project, or of all.

    Transcripts are read when they are asked for, the newest first. A trace whose transcript is gone is found in the
    stores. Texts are redacted by the settings of the project that they belong to, unless `unredacted`.
    """

    def __init__(
        self,
        places: Places,
        environ: Mapping[str, str],
        project: ProjectDirectories | None,
        *,
        unredacted: bool = False,
    ) -> None:
        """`project` is None for all projects."""
        self.project = project
        self._places, self._environ = places, environ
        self._unredacted = unredacted
        self._home = home_directory(environ)
        self._state: StateDirectory = open_state(places)
        self._known = KnownTraces(places, self._state)
        self._seen_stores: tuple[object, ...] | None = None
        self._options: dict[str, TraceOptions] = {}
        self._settings: dict[str, Settings] = {}

    @classmethod
    def at(
        cls,
        cwd: Path,
        places: Places,
        environ: Mapping[str, str],
        *,
        all_projects: bool = False,
        unredacted: bool = False,
    ) -> Self:
        """Return the catalog of the project at `cwd`, or of all projects."""
        project = None if all_projects else ProjectDirectories.at(cwd, home_directory(environ))
        return cls(places, environ, project, unredacted=unredacted)

    def sessions(self, *, since: float = 0.0, id_prefix: str = "") -> Iterator[SessionFile]:
        """Yield the transcripts of the user's sessions, the last written first. `since` is in seconds (epoch)."""
        for found in session_files(codex_home(self._environ), since=since, id_prefix=id_prefix):
            if self.project is None or (found.meta.cwd is not None and self.project.contains(found.meta.cwd)):
                yield found

    def summaries(self, *, since: float = 0.0, id_prefix: str = "") -> Iterator[TurnSummary]:
        """Yield the figures of every turn, by session, the last written first, each session's newest turn first.

        Turns that began before `since` (seconds since the epoch) are left out. Traces of sessions without a transcript
        follow at the end.
        """
        seen: set[str] = set()
        for found in self.sessions(since=since, id_prefix=id_prefix):
            for summary in self.session_summaries(found):
                seen.add(summary.key)
                if summary.started_at_ms >= since * 1000:
                    yield summary
        for trace in self._stored():
            if trace.key not in seen and trace.session_id.startswith(id_prefix):
                stored = self._summary_of_stored(trace)
                if stored is not None and stored.started_at_ms >= since * 1000:
                    yield stored

    def session_summaries(self, found: SessionFile) -> list[TurnSummary]:
        """Return the figures of the turns of one session, the newest first."""
        project = self.project_of(found)
        options = self.options_of(project)
        session = self.read(found)
        deliveries = self._deliveries(session, found.session_id, project)
        texts = Texts(options.redactor())
        summaries = []
        for turn in reversed(session.turns):
            summary = summarize_turn(session, turn, found.session_id, project, options.prices, deliveries)
            sent = self._payload(summary.key)
            if sent is not None:  # it has what shell commands changed
                files = summary_of_trace(sent, project, summary.delivery)
                summary = replace(
                    summary,
                    files=files.files,
                    lines_added=files.lines_added,
                    lines_removed=files.lines_removed,
                    tests_stale=files.tests_stale,
                )
            request = texts.text(summary.request)[:_LONGEST_REQUEST]  # a cut secret would not be recognized
            summaries.append(replace(summary, request=request, grade=self._grade_of(summary.key)))
        return summaries

    def turns(self, name: str) -> SessionView:
        """Return a session with the turns that `name` stands for: a trace's key, a session's id, or `latest`.

        Of a key or an id the beginning is enough. Raises NotOneTurnError.
        """
        name = name.strip().lower()
        if name == LATEST:
            return self._latest()
        if len(name) < _SHORTEST_PREFIX:
            raise NotOneTurnError(f"'{name}' is too short: give at least {_SHORTEST_PREFIX} characters of a key.")
        sessions = list(self.sessions(id_prefix=name))
        sessions = sessions or list(session_files(codex_home(self._environ), id_prefix=name))
        if len(sessions) == 1:
            return self.view(sessions[0])
        if sessions:
            raise NotOneTurnError(f"{len(sessions)} sessions have an id that begins with '{name}'.")
        stored = [trace for trace in self._stored(anywhere=True) if trace.key.startswith(name)]
        if len(stored) > 1:
            raise NotOneTurnError(f"{len(stored)} traces have a key that begins with '{name}'.")
        if stored:
            return self._turn_of_stored(stored[0])
        return self._turn_not_traced(name)

    def view(self, found: SessionFile) -> SessionView:
        """Return the whole session of a transcript."""
        return self._view_read(found, self.read(found))

    def _view_read(self, found: SessionFile, session: Session) -> SessionView:
        project = self.project_of(found)
        view = view_session(
            session,
            found.session_id,
            project,
            self.options_of(project),
            self._deliveries(session, found.session_id, project),
            transcript=str(found.path),
        )
        return replace(view, turns=tuple(self._complete(turn) for turn in view.turns))

    def follow(self, found: SessionFile) -> "FollowedSession":
        """Return a session that can be read again while it runs."""
        self._places.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        source = WholeSession(CODEX, found.path, self._places.state)
        return FollowedSession(source, lambda session: self._view_read(found, session), self._delivered)

    def _delivered(self, turn: TurnView) -> TurnView:
        """Return the view of a turn with what became of its trace by now."""
        one = turn.summary
        delivery = self._delivery_of_turn(one.key, one.turn_id, one.session_id, one.ended_at_ms, one.project)
        return replace(turn, summary=replace(one, delivery=delivery))

    def queue_lengths(self) -> tuple[int, int]:
        """Return the number of queued traces and of dead letters, and note what became of each trace since."""
        pending, dead = list(self._state.outbox.pending()), self._state.outbox.dead_letters()
        log = self._state.ledger.directory / "ledger.jsonl"
        written = log.stat().st_mtime_ns if log.exists() else 0
        stores = (written, *(trace.key for trace in pending), *(letter.key for letter in dead))
        if stores != self._seen_stores:  # else nothing was queued or sent since the ledger was read
            self._known, self._seen_stores = KnownTraces(self._places, self._state), stores
        return len(pending), len(dead)

    def payloads(self, session: SessionView) -> list[Mapping[str, object]]:
        """Return the traces of the view's turns, as they were sent or queued, where they are still stored."""
        return [found for turn in session.turns if (found := self._payload(turn.summary.key)) is not None]

    def _complete(self, turn: TurnView) -> TurnView:
        """Add to a turn what only its trace has, and its grade."""
        summary = replace(turn.summary, grade=self._grade_of(turn.summary.key))
        turn = replace(turn, summary=summary)
        sent = self._payload(summary.key)
        return turn if sent is None else with_changes(turn, view_of_trace(sent, summary.project, summary.delivery))

    def _latest(self) -> SessionView:
        for found in self.sessions():
            view = self.view(found)
            if view.turns:
                return replace(view, turns=view.turns[-1:])
        stored = next(iter(self._stored()), None)
        if stored is None:
            where = "anywhere" if self.project is None else f"in {self.project.root}"
            raise NotOneTurnError(f"No turn of Codex was found {where}.")
        return self._turn_of_stored(stored)

    def _turn_of_stored(self, trace: StoredTrace) -> SessionView:
        """Return the turn of a stored trace: from its transcript, else from the trace."""
        sessions = session_files(codex_home(self._environ), id_prefix=trace.session_id) if trace.session_id else ()
        for found in sessions:
            view = self.view(found)
            if turns := tuple(turn for turn in view.turns if turn.summary.key == trace.key):
                return replace(view, turns=turns)
        payload = self._payload(trace.key)
        if payload is None:
            raise NotOneTurnError(
                f"Trace {trace.key} was sent; neither its content nor its transcript is here any more."
            )
        turn = view_of_trace(payload, trace.project, self._delivery(trace))
        turn = replace(turn, summary=replace(turn.summary, key=trace.key, grade=self._grade_of(trace.key)))
        return SessionView(session_id=trace.session_id, project=trace.project, turns=(turn,))

    def _turn_not_traced(self, name: str) -> SessionView:
        """Search the transcripts for a turn without a trace, those of other projects last."""
        own = list(self.sessions())
        known = {found.path for found in own}
        others = (found for found in session_files(codex_home(self._environ)) if found.path not in known)
        for found in chain(own, others):
            session = self.read(found)
            project = self.project_of(found)
            keys = {
                summarize_turn(session, turn, found.session_id, project, self.options_of(project).prices, {}).key
                for turn in session.turns
            }
            if any(key.startswith(name) for key in keys):
                view = self.view(found)
                return replace(view, turns=tuple(t for t in view.turns if t.summary.key.startswith(name)))
        raise NotOneTurnError(f"No trace has a key, and no session an id, that begins with '{name}'.")

    def _stored(self, *, anywhere: bool = False) -> Iterator[StoredTrace]:
        """Yield the turns' traces in the stores, the newest first.

        With `anywhere`, those of every project, and also summaries of sessions and test traces.
        """
        entries = self._state.ledger.entries(EntryKind.sent, EntryKind.dead)
        everywhere = anywhere or self.project is None
        owner = None if everywhere or self.project is None else ProjectFilter(self.project.root, entries)
        labelled = [(entry.key, entry.when, entry.labels) for entry in entries if entry.agent_id != OTLP_AGENT]
        for queued in self._state.outbox.pending():
            header = self._state.outbox.read_header(queued)
            if header is not None and header.agent_id != OTLP_AGENT:
                labelled.append((queued.key, queued.created, header.labels))
        seen: set[str] = set()
        for key, at, labels in sorted(labelled, key=lambda one: one[1], reverse=True):
            if key in seen or (not anywhere and labels.get("kind") != "turn"):
                continue
            if owner is not None and not owner.owns(labels):
                continue
            seen.add(key)
            yield StoredTrace(key=key, session_id=labels.get("session", ""), project=labels.get(ROOT_LABEL, ""), at=at)

    def _summary_of_stored(self, trace: StoredTrace) -> TurnSummary | None:
        payload = self._payload(trace.key)
        if payload is None:
            return None
        summary = summary_of_trace(payload, trace.project, self._delivery(trace))
        return replace(summary, key=trace.key, grade=self._grade_of(trace.key))

    def _deliveries(self, session: Session, session_id: str, project: str) -> dict[str, Delivery]:
        """Return what became of each turn's trace, by the key of the trace."""
        turns = ((trace_key(session_id, None, turn.id, "turn"), turn) for turn in session.turns)
        return {key: self._delivery_of_turn(key, turn.id, session_id, turn.ended_at_ms, project) for key, turn in turns}

    def _delivery_of_turn(
        self, key: str, turn_id: str, session_id: str, ended_at_ms: int | None, project: str
    ) -> Delivery:
        summaries = not self._settings_of(project).flush_on_stop.value
        return delivery_of_turn(key, turn_id, session_id, ended_at_ms, self._known, summaries=summaries)

    def _delivery(self, trace: StoredTrace) -> Delivery:
        known = self._known.of(trace.key, "", trace.session_id)
        return Delivery() if known is None else delivery_of(known)

    def _grade_of(self, key: str) -> object:
        """Return the grade of a trace, as it was fetched last; None if none was."""
        found = self._state.results.read(key) if self._known.is_known(key) else None
        return None if found is None else found.result

    def _payload(self, key: str) -> Mapping[str, object] | None:
        """Return the payload of a stored trace; None if it is stored no longer, or damaged."""
        if not self._known.is_known(key):
            return None
        body = self._state.ledger.payload(key) or self._state.local.read(key) or self._queued_body(key)
        return parse_object(body) if body is not None else None

    def _queued_body(self, key: str) -> bytes | None:
        queued, dead = self._queue
        try:
            if key in queued:
                return self._state.outbox.read(queued[key]).body
            return self._state.outbox.read_dead(dead[key]).body if key in dead else None
        except InfiniumTransportError:
            return None

    @cached_property
    def _queue(self) -> tuple[dict[str, Queued], dict[str, DeadLetter]]:
        """The queued traces and the dead letters by key, as they were when the first one was read."""
        outbox = self._state.outbox
        return {one.key: one for one in outbox.pending()}, {one.key: one for one in outbox.dead_letters()}

    def read(self, found: SessionFile) -> Session:
        """Return the whole session of a transcript."""
        self._places.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        return read_whole_session(CODEX, found.path, self._places.state)

    def project_of(self, found: SessionFile) -> str:
        """Return the directory of the project that a session began in; empty if it is not known."""
        cwd = found.meta.cwd
        if cwd is None:
            return ""
        if self.project is not None and self.project.contains(cwd):
            return str(self.project.root)
        return str(project_directory(Path(cwd), self._home))

    def options_of(self, project: str) -> TraceOptions:
        """Return the trace options of a project; the user's own if its settings cannot be read."""
        if project not in self._options:
            settings = self._settings_of(project)
            options = trace_options(CODEX.program, self._places, settings, self._secrets(settings))
            self._options[project] = replace(options, redaction="off") if self._unredacted else options
        return self._options[project]

    def _settings_of(self, project: str) -> Settings:
        if project not in self._settings:
            try:
                self._settings[project] = load(Path(project or "/"), self._environ, home=self._home)
            except InfiniumConfigError:
                self._settings[project] = load(Path("/"), self._environ, home=self._home)
        return self._settings[project]

    def _secrets(self, settings: Settings) -> tuple[str, ...]:
        destination = settings.destination()
        return () if destination is None else secrets_to_redact(settings, **destination)


class FollowedSession:
    """A running session. Only turns to which something was added are viewed again: that redacts all of their texts."""

    def __init__(
        self,
        source: WholeSession,
        view: Callable[[Session], SessionView],
        delivered: Callable[[TurnView], TurnView],
    ) -> None:
        """`view` returns the view of a session, `delivered` a turn with what became of its trace by now."""
        self._source, self._view, self._delivered = source, view, delivered
        self._turns: dict[str, tuple[Turn, TurnView]] = {}
        self._session: SessionView | None = None

    def read(self) -> SessionView | None:
        """Return the session as it is now; None if there is nothing of it yet."""
        if self._source.read():
            session = self._source.fold()
            known = {turn_id: turn for turn_id, (turn, _) in self._turns.items()}
            changed = tuple(turn for turn in session.turns if known.get(turn.id) != turn)
            self._session = self._view(replace(session, turns=changed))
            for turn, view in zip(changed, self._session.turns, strict=True):
                self._turns[turn.id] = turn, view
        if self._session is None:
            return None
        return replace(self._session, turns=tuple(self._delivered(view) for _, view in self._turns.values()))

    def close(self) -> None:
        """Close its transcripts."""
        self._source.close()
