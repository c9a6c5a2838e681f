"""Lists the agents whose queued traces cannot be sent, with the reason and the command that helps."""

from collections import Counter

from infinium_config import SECRET_VARIABLE, Settings
from infinium_transport import InfiniumTransportError, Outbox, Parked, ParkReason
from msgspec import Struct

from infinium_codex.delivery.secrets import OTHER_AGENT_HINT
from infinium_codex.otlp.variables import OTLP_AGENT

RETRY = "infinium-codex retry"
TO_CURRENT = "infinium-codex retry --to-current"
DROP = "infinium-codex queue drop --base-url"
UPDATE = "infinium-codex update-credentials"


class BlockedTraces(Struct, frozen=True, kw_only=True):
    """Queued traces of one agent for one address that cannot be sent."""

    agent_id: str
    base_url: str
    traces: int
    kind: ParkReason
    reason: str
    """The reason at the last delivery."""
    own: bool
    """Whether the agent is that of the current settings."""
    fix: str
    """What the user can do now."""

    def __str__(self) -> str:
        return f"{self.traces} of agent {self.agent_id}: {self.kind} ({self.reason})"

    def to_json(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return {
            "agent_id": self.agent_id,
            "base_url": self.base_url,
            "traces": self.traces,
            "kind": self.kind.name,
            "reason": self.reason,
            "fix": self.fix,
        }


def blocked_traces(outbox: Outbox, settings: Settings | None, *, secret_in_environment: bool) -> list[BlockedTraces]:
    """List the traces that cannot be sent.

    `secret_in_environment`: whether the environment has the secret of the settings' agent.
    """
    notes = outbox.parked()
    queued = _count_by_recipient(outbox) if notes else {}
    own = settings.agent_id.value if settings else None
    return [
        BlockedTraces(
            agent_id=note.agent_id,
            base_url=note.base_url,
            traces=queued[note.agent_id, note.base_url],
            kind=note.kind,
            reason=note.reason.removesuffix(f" {OTHER_AGENT_HINT}").rstrip("."),
            own=note.agent_id == own,
            fix=_fix(note, settings, secret_in_environment=secret_in_environment),
        )
        for note in notes
        if (note.agent_id, note.base_url) in queued
    ]


def _count_by_recipient(outbox: Outbox) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for queued in outbox.pending():
        try:
            envelope = outbox.read(queued)
        except InfiniumTransportError:
            continue  # damaged, or sent meanwhile
        found[envelope.agent_id, envelope.base_url] += 1
    return found


def _fix(note: Parked, settings: Settings | None, *, secret_in_environment: bool) -> str:
    if note.agent_id == OTLP_AGENT:
        return f"'{RETRY}' in a shell with valid OTLP variables; '{DROP} {note.base_url}' deletes them"
    own = settings is not None and note.agent_id == settings.agent_id.value
    if own and settings is not None and note.base_url != settings.base_url.value:
        return f"{TO_CURRENT} sends them to {settings.base_url.value}; '{DROP} {note.base_url}' deletes them"
    if note.kind is ParkReason.unauthorized:
        return f"{UPDATE}, or '{RETRY}' if the secret is right" if own else f"{UPDATE}, in that agent's project"
    if own and secret_in_environment:
        return f"{RETRY}: {SECRET_VARIABLE} is set in this shell"
    return OTHER_AGENT_HINT
