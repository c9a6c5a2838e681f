"""Which agents' traces wait for their user, how many, why, and what lets them go."""

from collections import Counter

from infinium_config import SECRET_VARIABLE, Settings
from infinium_transport import InfiniumTransportError, Outbox, ParkReason
from msgspec import Struct

from infinium_codex.delivery.wiring import HINT_FOR_OTHERS

RETRY = "infinium-codex retry"
UPDATE = "infinium-codex update-credentials"


class Held(Struct, frozen=True, kw_only=True):
    """Traces of one agent for one address."""

    agent_id: str
    base_url: str
    traces: int
    kind: ParkReason
    reason: str
    """As it was when they were last to be sent; what was to be done then may have changed."""
    own: bool
    """Whether the agent is that of the settings at hand."""
    fix: str

    def __str__(self) -> str:
        return f"{self.traces} of agent {self.agent_id}: {self.kind} ({self.reason})"

    def to_json(self) -> dict[str, object]:
        """The shape `--json` prints."""
        return {
            "agent_id": self.agent_id,
            "base_url": self.base_url,
            "traces": self.traces,
            "kind": self.kind.name,
            "reason": self.reason,
            "fix": self.fix,
        }


def held_traces(outbox: Outbox, settings: Settings | None, *, secret_at_hand: bool) -> list[Held]:
    """What waits for its user. `secret_at_hand` says that the environment has the secret of the settings' agent."""
    notes = outbox.parked()
    waiting = _count(outbox) if notes else {}
    own = settings.agent_id.value if settings else None
    return [
        Held(
            agent_id=note.agent_id,
            base_url=note.base_url,
            traces=waiting[note.agent_id, note.base_url],
            kind=note.kind,
            reason=note.reason.removesuffix(f" {HINT_FOR_OTHERS}").rstrip("."),
            own=note.agent_id == own,
            fix=_fix(note.kind, own=note.agent_id == own, secret_at_hand=secret_at_hand),
        )
        for note in notes
        if (note.agent_id, note.base_url) in waiting
    ]


def _count(outbox: Outbox) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for queued in outbox.pending():
        try:
            envelope = outbox.read(queued)
        except InfiniumTransportError:
            continue  # damaged, or sent meanwhile
        found[envelope.agent_id, envelope.base_url] += 1
    return found


def _fix(kind: ParkReason, *, own: bool, secret_at_hand: bool) -> str:
    if kind is ParkReason.unauthorized:
        return UPDATE if own else f"{UPDATE}, in that agent's project"
    if own and secret_at_hand:
        return f"{RETRY}: {SECRET_VARIABLE} is set in this shell"
    return HINT_FOR_OTHERS
