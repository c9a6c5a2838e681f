"""From a folded session to a trace in the outbox."""

import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from infinium_config import LOCAL, Settings
from infinium_trace import (
    Limits,
    PricesError,
    PriceTable,
    Redactor,
    Session,
    SessionSummary,
    TraceContext,
    Turn,
    encode,
    packaged_prices,
    trace_key,
    turn_payload,
)
from infinium_transport import Envelope, Outbox
from msgspec import Struct

from infinium_codex.delivery.wiring import note_error, open_outbox
from infinium_codex.session.git_state import read_git_state
from infinium_codex.support.paths import Places
from infinium_codex.version import VERSION

LOCAL_AGENT = "local"
"""The agent id of traces that stay on this machine and name no agent."""


class Tracer(Struct, frozen=True, kw_only=True):
    """Queues the traces of one session for the destination its project names."""

    session_id: str
    agent_id: str
    base_url: str
    outbox: Outbox
    context: TraceContext
    limits: Limits
    secrets: tuple[str, ...]
    patterns: tuple[str, ...]
    """Expressions of further secrets, of the user or of the project."""
    allow: tuple[str, ...]
    """The user's own expressions of values that stay."""

    @classmethod
    def open(
        cls, session_id: str, cwd: Path, places: Places, environ: Mapping[str, str], settings: Settings
    ) -> Self | None:
        """A tracer for the project at `cwd`; None, and an error in the ledger, when it has no destination."""
        base_url = settings.base_url.value
        agent_id = settings.agent_id.value or (LOCAL_AGENT if base_url == LOCAL else None)
        if agent_id is None:
            message = f"No agent id for {cwd}: set INFINIUM_AGENT_ID or run 'infinium-codex init' there."
            note_error(places, "worker", message, {"session": session_id})
            return None
        git = read_git_state(cwd)
        root = settings.project.root if settings.project else cwd
        secret = environ.get("INFINIUM_AGENT_SECRET")
        return cls(
            session_id=session_id,
            agent_id=agent_id,
            base_url=base_url,
            outbox=open_outbox(places),
            context=TraceContext(
                session_id=session_id,
                connector_version=VERSION,
                agent_program="codex",
                runtime=f"{platform.python_implementation()} {platform.python_version()}",
                os=platform.system(),
                project_name=root.name,
                git_branch=git.branch,
                git_commit=git.commit,
                git_moves=git.moves,
                extra_tags={},
                prices=_prices(places),
                redaction=settings.redaction.value,
            ),
            limits=Limits(
                input_preview=settings.max_input_preview.value,
                output_preview=settings.max_output_preview.value,
                input_summary=settings.max_input_summary.value,
                output_summary=settings.max_output_summary.value,
            ),
            secrets=(secret,) if secret else (),
            patterns=settings.redact_patterns.value,
            allow=settings.redact_allow.value,
        )

    def queue_turn(self, session: Session, turn: Turn) -> None:
        """Put the turn's trace into the outbox, once."""
        key = trace_key(self.session_id, None, turn.id, "turn")
        payload = turn_payload(session, turn, self.context, self.limits, self._redactor())
        self._queue(key, payload, {"kind": "turn", "turn": turn.id})

    def summary(self) -> SessionSummary:
        """A summary without any turns yet."""
        return SessionSummary(self.context, self.limits, self._redactor())

    def queue_summary(self, summary: SessionSummary, part: int) -> None:
        """Put the summary, the session's `part`, into the outbox, once."""
        # By its first turn, not its number: a session whose checkpoint was removed counts its parts anew.
        key = trace_key(self.session_id, None, summary.first_turn or str(part), "session")
        labels = {"kind": "session", "part": str(part)}
        self._queue(key, summary.payload(part=part), labels, summary.left_out)

    def _redactor(self) -> Redactor:
        return Redactor(
            secrets=self.secrets,
            patterns=self.patterns,
            allow=self.allow,
            enabled=self.context.redaction != "off",
        )

    def _queue(
        self, key: str, payload: dict[str, object], labels: dict[str, str], left_out: Mapping[str, int] | None = None
    ) -> None:
        labels |= {"session": self.session_id, "project": self.context.project_name or ""}
        self.outbox.put(
            Envelope(
                key=key,
                agent_id=self.agent_id,
                base_url=self.base_url,
                body=encode(payload, left_out=left_out),
                created=time.time(),
                name=str(payload.get("name", "")),
                labels=labels,
            )
        )


def _prices(places: Places) -> PriceTable:
    """List prices, and the user's own before them; a table that cannot be read is told of, and costs no trace."""
    table = packaged_prices()
    try:
        return table.with_own(PriceTable.parse(places.prices.read_text("utf-8")))
    except FileNotFoundError:
        return table
    except (PricesError, OSError, UnicodeDecodeError) as error:
        note_error(places, "worker", f"The prices in {places.prices} are not used: {error}", {})
        return table
