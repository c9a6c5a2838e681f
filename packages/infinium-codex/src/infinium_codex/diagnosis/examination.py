"""Every check in the order of the chain, from Codex over hook, spool and worker to the API, and what came of it."""

from collections.abc import Sequence

from infinium_codex.diagnosis import codex, credentials, detached, environment, flow, hooks, online, sessions, storage
from infinium_codex.diagnosis.checks import Check, Verdict
from infinium_codex.diagnosis.situation import Situation


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


def will_flow(checks: Sequence[Check]) -> bool:
    """Whether traces will flow: nothing that was seen stops them."""
    return all(check.verdict is not Verdict.PROBLEM for check in checks)
