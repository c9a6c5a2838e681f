"""All checks in the order of the chain: settings, Codex, hooks, worker, storage, credentials, API, what was sent.

A check is a function of a CheckContext in the module of its link. To add one, write it there and list it here.
"""

from collections.abc import Callable
from enum import StrEnum

from infinium_codex.doctor import (
    api,
    background,
    codex,
    daemon,
    duplicates,
    history,
    hook_program,
    hooks_file,
    listed_hooks,
    queue,
    secret,
    sessions,
    settings,
    storage,
    worker,
    worktrees,
)
from infinium_codex.doctor.checks import Check, Verdict
from infinium_codex.doctor.context import CheckContext

CHECKS: tuple[Callable[[CheckContext], Check], ...] = (
    settings.settings,
    settings.recording,
    codex.installed,
    codex.answers,
    codex.hooks_feature,
    codex.policy,
    codex.project_trusted,
    hooks_file.hooks_file,
    worktrees.worktrees,
    listed_hooks.listed,
    listed_hooks.enabled,
    listed_hooks.trusted,
    codex.warnings,
    duplicates.duplicates,
    hook_program.hook_program,
    hook_program.hook_runs,
    daemon.daemon,
    storage.spool,
    storage.earlier_spools,
    worker.worker,
    background.background,
    storage.outbox,
    storage.ledger,
    settings.agent,
    secret.address,
    secret.secret,
    worker.secret_for_worker,
    api.api,
    api.clock,
    queue.queue,
    history.last_trace,
    history.last_error,
    sessions.sessions,
)


class Flow(StrEnum):
    """Whether traces will be sent."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """No problem was found, but there is neither a Codex nor a sign of one."""

    @property
    def exit_code(self) -> int:
        """Exit code of the command: 0 only where traces will be sent. 2 is left for usage errors."""
        return {Flow.YES: 0, Flow.NO: 1, Flow.UNKNOWN: 3}[self]


def run_checks(context: CheckContext, *, fleet: bool = False) -> tuple[Check, ...]:
    """Run every check, in order; with `fleet` also those of managed hooks and an OTLP engine."""
    if not fleet:
        return tuple(check(context) for check in CHECKS)
    from infinium_codex.doctor.fleet import FLEET_CHECKS

    return tuple(check(context) for check in (*CHECKS, *FLEET_CHECKS))


def will_flow(checks: tuple[Check, ...]) -> Flow:
    """Whether traces will be sent; one problem is enough for no."""
    if any(check.verdict is Verdict.PROBLEM for check in checks):
        return Flow.NO
    no_codex = any(check.name == codex.NAME and check.verdict is Verdict.UNKNOWN for check in checks)
    return Flow.UNKNOWN if no_codex else Flow.YES
