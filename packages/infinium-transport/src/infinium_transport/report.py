"""What one delivery did, and what a person can do about the traces that were not sent. Pure."""

from enum import StrEnum
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

RETRIED = "No action is needed: the next delivery tries again."
BUSY = "Another process is sending to {}; it also sends these traces."


class ProblemKind(StrEnum):
    """Why traces were not sent."""

    no_secret = "no secret"  # noqa: S105 - the name of a problem
    """There is no secret, or it must not go to this address. The traces stay queued."""
    unauthorized = "unauthorized"
    """The server refused the secret. The traces stay queued until the secret changes."""
    unavailable = "unavailable"
    """The server gave no answer or cannot accept traces now. The traces stay queued and are retried."""
    rejected = "rejected"
    """The server will not accept the trace. It is a dead letter."""
    dropped = "dropped"
    """The trace was deleted because of the queue limits."""
    damaged = "damaged"
    """The trace's file was damaged and moved to `corrupt/`."""


class DeliveryProblem(Struct, frozen=True, kw_only=True):
    """Traces that were not sent for one reason."""

    kind: ProblemKind
    traces: int
    """How many."""
    reason: str
    next_step: str = ""
    """What the user can do, as a sentence."""
    agent_id: str = ""
    """Empty for dropped and damaged traces."""
    base_url: str = ""
    """Empty for dropped and damaged traces."""

    def with_more(self, traces: int) -> Self:
        """The same problem with more traces."""
        return replace(self, traces=self.traces + traces)

    def __str__(self) -> str:
        """Say what happened and what to do."""
        one = self.traces == 1
        subject = _traces(self.traces) + (f" of agent {self.agent_id}" if self.agent_id else "")
        verb = "is" if one else "are"
        match self.kind:
            case ProblemKind.rejected:
                letters = "a dead letter" if one else "dead letters"
                event = f"{subject} {'was' if one else 'were'} rejected by {self.base_url} and {verb} now {letters}"
            case ProblemKind.dropped:
                event = f"{subject} {'was' if one else 'were'} dropped"
            case ProblemKind.damaged:
                event = f"{subject} could not be read"
            case _:
                event = f"{subject} for {self.base_url} {verb} still queued"
        return f"{event}: {self.reason.rstrip('.')}. {self.next_step}".rstrip()


class DeliveryReport(Struct, frozen=True, kw_only=True):
    """What one delivery did. `str(report)` is a text for people, with one line for each problem."""

    sent: int = 0
    """Accepted by their destination."""
    queued: int = 0
    """Still in the outbox."""
    busy_agents: tuple[str, ...] = ()
    """The agents whose traces another process is sending; it sends those that are queued too."""
    next_due: float | None = None
    """When to deliver again: the first delayed trace is due, or a refused secret is tried again. In seconds since the
    epoch; None when nothing is delayed."""
    delayed_agents: tuple[str, ...] = ()
    """The agents for which something is due then or later."""
    problems: tuple[DeliveryProblem, ...] = ()

    @property
    def busy(self) -> bool:
        """Whether another process is sending traces that this one found queued."""
        return bool(self.busy_agents)

    @property
    def ok(self) -> bool:
        """Whether every trace was sent, or is being sent by another process."""
        return not self.problems

    def count(self, kind: ProblemKind) -> int:
        """How many traces have this kind of problem."""
        return sum(problem.traces for problem in self.problems if problem.kind is kind)

    def __str__(self) -> str:
        """Say what happened and what to do."""
        lines = [f"Sent {_traces(self.sent)}."] if self.sent else []
        lines += [BUSY.format(f"agent {agent}") for agent in self.busy_agents]
        lines += map(str, self.problems)
        return "\n".join(lines) or "No traces to send."


def _traces(count: int) -> str:
    return f"{count:,} trace" if count == 1 else f"{count:,} traces"
