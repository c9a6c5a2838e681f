"""Builds the traces of a session and queues them in the outbox."""

import platform
import time
from pathlib import Path
from typing import Self

from infinium_config import LOCAL, Settings
from infinium_trace import (
    PricesError,
    PriceTable,
    Session,
    SummaryBuilder,
    Trace,
    TraceContext,
    TraceOptions,
    Turn,
    build_turn_trace,
    packaged_prices,
)
from infinium_transport import Envelope, Outbox
from msgspec import Struct

from infinium_codex.delivery.stores import open_outbox
from infinium_codex.session.git_state import read_git_state
from infinium_codex.support.error_log import record_error
from infinium_codex.support.paths import Places
from infinium_codex.version import VERSION

LOCAL_AGENT = "local"
"""The agent id of traces that stay on this machine and name no agent."""


class Tracer(Struct, frozen=True, kw_only=True):
    """Queues the traces of one session for the agent and the address of its project."""

    agent_id: str
    base_url: str
    outbox: Outbox
    project: Path
    """The project's directory; without a project, the session's."""
    context: TraceContext
    options: TraceOptions

    @classmethod
    def open(cls, program: str, session_id: str, cwd: Path, places: Places, settings: Settings) -> Self | None:
        """Return a tracer for the project at `cwd`. Without an agent id, note an error in the ledger, return None."""
        base_url = settings.base_url.value
        agent_id = settings.agent_id.value or (LOCAL_AGENT if base_url == LOCAL else None)
        if agent_id is None:
            message = f"No agent id for {cwd}: set INFINIUM_AGENT_ID or run 'infinium-codex init' there."
            record_error(places, "worker", message, {"session": session_id})
            return None
        git = read_git_state(cwd)
        root = settings.project.root if settings.project else cwd
        return cls(
            agent_id=agent_id,
            base_url=base_url,
            outbox=open_outbox(places),
            project=root,
            context=TraceContext(
                session_id=session_id,
                runtime=f"{platform.python_implementation()} {platform.python_version()}",
                os=platform.system(),
                project_name=root.name,
                git_branch=git.branch,
                git_commit=git.commit,
                git_moves=git.moves,
            ),
            options=_options(program, places, settings),
        )

    def queue_turn(self, session: Session, turn: Turn) -> None:
        """Queue the turn's trace. Queuing it again has no effect."""
        self._queue(build_turn_trace(session, turn, self.context, self.options))

    def summary(self) -> SummaryBuilder:
        """Return a summary without turns."""
        return SummaryBuilder(self.context, self.options)

    def queue_summary(self, summary: SummaryBuilder, part: int) -> None:
        """Queue the summary as the session's `part`. Queuing it again has no effect."""
        self._queue(summary.build(part=part))

    def _queue(self, trace: Trace) -> None:
        self.outbox.put(
            Envelope(
                key=trace.key,
                agent_id=self.agent_id,
                base_url=self.base_url,
                body=trace.body,
                created=time.time(),
                name=trace.name,
                labels=dict(trace.labels),
            )
        )


def _options(program: str, places: Places, settings: Settings) -> TraceOptions:
    return TraceOptions(program=program, version=VERSION, prices=_prices(places), **settings.trace_options())


def _prices(places: Places) -> PriceTable:
    """Return the user's prices with the list prices behind them. An invalid file is noted as an error and ignored."""
    table = packaged_prices()
    try:
        return table.with_own(PriceTable.parse(places.prices.read_text("utf-8")))
    except FileNotFoundError:
        return table
    except (PricesError, OSError, UnicodeDecodeError) as error:
        record_error(places, "worker", f"The prices in {places.prices} are not used: {error}", {})
        return table
