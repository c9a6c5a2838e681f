"""Builds the traces of turns and sessions: key, body, headers and labels, in one place."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from infinium_trace._format import count
from infinium_trace.context import TraceContext
from infinium_trace.fit import encode
from infinium_trace.identity import trace_key
from infinium_trace.options import TraceOptions
from infinium_trace.payload import PayloadWriter
from infinium_trace.session import Session, Turn
from infinium_trace.tree_changes import TreeChanges


class Trace(Struct, frozen=True, kw_only=True):
    """A trace, ready to be queued or sent."""

    key: str
    """UUID. The same turn always has the same key."""
    name: str
    """Title of the trace, redacted."""
    body: bytes
    """JSON for `POST {base_url}/agents/{agent_id}/trace`."""
    labels: Mapping[str, str]
    """Kind ("turn" or "session"), turn or part, session and project. Not sent."""

    @property
    def headers(self) -> dict[str, str]:
        """The request's headers, without credentials. `infinium-transport` derives the same ones from the key."""
        return {"Content-Type": "application/json", "Idempotency-Key": self.key}


def build_turn_trace(session: Session, turn: Turn, context: TraceContext, options: TraceOptions) -> Trace:
    """Build the trace of one turn. Raises RedactionPatternError for an invalid pattern in the options."""
    key = trace_key(context.session_id, None, turn.id, "turn")
    writer = PayloadWriter(context, options, bounded=False)
    writer.add(session, (turn,))
    tags = {"turn": turn.id, "trace_key": key, "kind": "turn"}
    return _trace(key, writer, writer.title(turn), tags, {"kind": "turn", "turn": turn.id})


class SummaryBuilder:
    """Builds the summary of a session's turns, which may be added in slices.

    Its memory is bounded: it keeps no more steps, errors and texts than fit into a body.
    """

    def __init__(self, context: TraceContext, options: TraceOptions) -> None:
        self.first_turn_id: str | None = None
        """The id of the first turn; None while there is no turn."""
        self._context = context
        self._title = ""
        self._writer = PayloadWriter(context, options, bounded=True)

    def add(self, session: Session, turns: Sequence[Turn], trees: Mapping[str, TreeChanges] | None = None) -> None:
        """Add more turns, with the session as it was read with them.

        `trees` has what turns changed in their checkouts, by the turns' ids.
        """
        if turns and self.first_turn_id is None:
            self.first_turn_id = turns[0].id
            self._title = self._writer.title(next((turn for turn in turns if not turn.undone), turns[0]))
        self._writer.add(session, turns, trees)

    def build(self, *, part: int = 1) -> Trace:
        """Build the trace of the turns so far. `part` is more than 1 if the session continued after a summary."""
        turns = self._writer.totals.turns
        title = f"Session of {count(turns, 'turn')}" + (f", part {part}" if part > 1 else "")
        if self._title:
            title += f": {self._title}"
        # The key is made of the first turn, not of the part: a session whose checkpoint was removed restarts at part 1.
        key = trace_key(self._context.session_id, None, self.first_turn_id or str(part), "session")
        tags = {"trace_key": key, "kind": "session", "part": str(part), "turns": str(turns)}
        return _trace(key, self._writer, title, tags, {"kind": "session", "part": str(part)})


def _trace(key: str, writer: PayloadWriter, title: str, tags: Mapping[str, str], labels: Mapping[str, str]) -> Trace:
    payload = writer.payload(title, tags)
    context = writer.context
    return Trace(
        key=key,
        name=str(payload["name"]),
        body=encode(payload, writer.options.max_body_bytes, left_out=writer.left_out),
        labels={**labels, "session": context.session_id, "project": context.project_name or ""},
    )
