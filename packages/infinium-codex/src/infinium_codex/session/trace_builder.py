"""Builds the traces of a session and queues them in the outbox."""

import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from infinium_config import Settings
from infinium_config.files import read_small_file
from infinium_trace import (
    PricesError,
    PriceTable,
    Session,
    SummaryBuilder,
    Trace,
    TraceContext,
    TraceOptions,
    TreeChanges,
    Turn,
    build_turn_trace,
    packaged_prices,
)
from infinium_transport import Envelope, Outbox, Put
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.delivery.projects import ROOT_LABEL
from infinium_codex.delivery.stores import open_outbox
from infinium_codex.otlp.variables import OTLP_AGENT
from infinium_codex.session.git_state import read_git_state
from infinium_codex.support.error_log import record_error
from infinium_codex.support.paths import Places
from infinium_codex.version import VERSION

if TYPE_CHECKING:
    from infinium_codex.otlp.exporter import OtlpExporter
    from infinium_codex.otlp.settings import OtlpSettings

ACCEPTANCE_FILE = ".infinium/acceptance.md"
"""The project's own acceptance criteria, which every trace contains. Optional, written by the project's users."""
_MAX_ACCEPTANCE_BYTES = 64 << 10
_RECENT_MS = 60_000
"""The work tree is what a turn left only for a short time after its end."""


class RecipientId(Struct, frozen=True, kw_only=True):
    """Whose a trace is. A summary covers the turns of one."""

    agent_id: str
    """`OTLP_AGENT` where no Infinium agent is configured and turns are exported to an OTLP engine alone."""
    base_url: str
    project: Path
    """The project's directory; without a project, the session's."""


class Tracer(Struct, frozen=True, kw_only=True):
    """Queues the traces of one session for the agent and the address of its project."""

    recipient: RecipientId
    outbox: Outbox
    context: TraceContext
    options: TraceOptions
    snapshots: Path
    """Directory of the snapshots of checkouts."""
    places: Places
    sends_turns: bool
    """Whether the agent gets a trace of each turn."""
    exporter: "OtlpExporter | None" = None
    """Exports each turn to an OTLP engine as well."""

    @classmethod
    def open(
        cls,
        program: str,
        session_id: str,
        recipient: RecipientId,
        cwd: Path,
        places: Places,
        settings: Settings,
        secrets: tuple[str, ...],
        otlp: "OtlpSettings | None" = None,
    ) -> Self:
        """Return a tracer for the project at `cwd`. `secrets` are removed from its traces."""
        git = read_git_state(cwd)
        outbox = open_outbox(places)
        return cls(
            recipient=recipient,
            outbox=outbox,
            context=TraceContext(
                session_id=session_id,
                runtime=_runtime(),
                os=platform.system(),
                project_name=recipient.project.name,
                git_branch=git.branch,
                git_commit=git.commit,
                git_moves=git.moves,
                acceptance=_acceptance(recipient.project),
                acceptance_file=ACCEPTANCE_FILE,
            ),
            options=trace_options(program, places, settings, secrets),
            snapshots=places.snapshots,
            places=places,
            sends_turns=settings.flush_on_stop.value and recipient.agent_id != OTLP_AGENT,
            exporter=None if otlp is None else _exporter(otlp, outbox, recipient.project),
        )

    def queue_turn(self, session: Session, turn: Turn, changes: TreeChanges | None) -> None:
        """Queue the turn's trace, and its spans if they are exported. Queuing it again has no effect.

        `changes` is what the turn changed in its checkout (`changes_of`).
        """
        if self.sends_turns:
            self.queue(build_turn_trace(session, turn, replace(self.context, changes=changes), self.options))
        if self.exporter is not None:
            self._export(self.exporter, session, turn)

    def build_turn(self, session: Session, turn: Turn) -> Trace:
        """Return the turn's trace."""
        context = replace(self.context, changes=self.changes_of(session, turn))
        return build_turn_trace(session, turn, context, self.options)

    def _export(self, exporter: "OtlpExporter", session: Session, turn: Turn) -> None:
        """Queue the turn's spans. A failure is recorded and affects nothing else."""
        try:
            exporter.queue_turn(session, turn, self.context, self.options)
        except Exception as error:
            labels = {"session": self.context.session_id, "turn": turn.id}
            record_error(self.places, "otlp", f"A turn is not exported: {error}", labels)

    def changes_of(self, session: Session, turn: Turn) -> TreeChanges | None:
        """Return what the turn changed in its checkout; None if it ran no tool, or ended too long ago to tell."""
        cwd, ended_ms = turn.cwd or session.cwd, turn.ended_at_ms
        if cwd is None or ended_ms is None or not turn.tool_calls or time.time() * 1000 - ended_ms > _RECENT_MS:
            return None
        from infinium_codex.session.turn_changes import read_turn_changes

        return read_turn_changes(
            Path(cwd),
            self.snapshots,
            self.context.session_id,
            started_ms=turn.started_at_ms,
            ended_ms=ended_ms,
            commit_before=self.context.commit_at(turn.started_at_ms),
        )

    def summary(self) -> SummaryBuilder:
        """Return a summary without turns."""
        return SummaryBuilder(self.context, self.options)

    def queue_summary(self, summary: SummaryBuilder, part: int) -> None:
        """Queue the summary as the session's `part`. Queuing it again has no effect."""
        self.queue(summary.build(part=part))

    def queue(self, trace: Trace) -> Put:
        """Queue a trace of this recipient. Queuing it again has no effect."""
        return self.outbox.put(
            Envelope(
                key=trace.key,
                agent_id=self.recipient.agent_id,
                base_url=self.recipient.base_url,
                body=trace.body,
                created=time.time(),
                name=trace.name,
                labels={**trace.labels, ROOT_LABEL: str(self.recipient.project)},
            )
        )


def _exporter(settings: "OtlpSettings", outbox: Outbox, project: Path) -> "OtlpExporter":
    from infinium_codex.otlp.exporter import OtlpExporter

    return OtlpExporter(settings, outbox, {ROOT_LABEL: str(project)})


def _runtime() -> str:
    """Return name and version of the interpreter. For CPython, platform's functions would compile five patterns."""
    if sys.implementation.name == "cpython":
        return f"CPython {sys.version.partition(' ')[0]}"
    return f"{platform.python_implementation()} {platform.python_version()}"


def trace_options(program: str, places: Places, settings: Settings, secrets: tuple[str, ...]) -> TraceOptions:
    """Return the options of a project's traces. `secrets` are removed from them."""
    values = settings.trace_options()
    values["secrets"] = secrets
    return TraceOptions(program=program, version=VERSION, prices=_prices(places), **values)


def _acceptance(project: Path) -> str | None:
    """Return the text of the project's acceptance criteria; None without such a file. A link is not followed."""
    found = read_small_file(project / ACCEPTANCE_FILE, max_bytes=_MAX_ACCEPTANCE_BYTES)
    return None if found is None else found.decode("utf-8", "replace")


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
