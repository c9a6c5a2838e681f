"""Every check in the order of the chain, from Codex over hook, spool and worker to the API, and what came of it."""

from collections.abc import Sequence
from enum import StrEnum

from infinium_codex.doctor import codex, credentials, detached, environment, flow, hooks, online, sessions, storage
from infinium_codex.doctor.checks import Check, Verdict
from infinium_codex.doctor.situation import Situation


def examine(s: Situation, *, over_network: bool) -> tuple[Check, ...]:
    """Look at every link."""
    report = detached.ask_detached(s)
    asked = online.ask(s) if over_network else online.Asked()
    return (
        credentials.settings(s),
        flow.recording(s),
        codex.found(s),
        codex.answers(s),
        codex.feature(s),
        codex.policy(s),
        codex.trusted(s),
        hooks.definition(s),
        hooks.listed(s),
        hooks.enabled(s),
        hooks.trusted(s),
        codex.warnings(s),
        hooks.duplicates(s),
        hooks.program(s),
        hooks.runs(s),
        environment.variables(s),
        storage.spool(s),
        detached.worker(report),
        storage.outbox(s),
        storage.ledger(s),
        credentials.agent(s),
        credentials.address(s),
        credentials.secret(s),
        credentials.secret_for_worker(s, report),
        online.api(s, asked),
        online.clock(s, asked),
        flow.waiting(s),
        flow.last_trace(s),
        flow.last_error(s),
        sessions.untraced(s),
    )


class Flow(StrEnum):
    """Whether traces will flow."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """Nothing that was seen stops them, but there is no Codex, and no sign of one, to bring them about."""

    @property
    def exit_code(self) -> int:
        """0 only where they will; 2 is a command line that cannot be understood."""
        return {Flow.YES: 0, Flow.NO: 1, Flow.UNKNOWN: 3}[self]


def will_flow(checks: Sequence[Check]) -> Flow:
    """What the checks come to: one problem is enough."""
    if any(check.verdict is Verdict.PROBLEM for check in checks):
        return Flow.NO
    unseen = any(check.name == codex.NAME and check.verdict is Verdict.UNKNOWN for check in checks)
    return Flow.UNKNOWN if unseen else Flow.YES
