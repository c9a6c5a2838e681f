"""Checks of the worker: whether a detached process starts, and whether it can read the secret."""

from infinium_codex.doctor.checks import FIX, Check, ok, problem, see
from infinium_codex.doctor.context import CheckContext
from infinium_codex.doctor.secret import skip_lookup


def worker(context: CheckContext) -> Check:
    """Check that the worker's interpreter starts detached and can import the connector."""
    report = context.worker
    if report.error:
        return problem("worker", report.error, f"{FIX} If that does not help, reinstall the connector.")
    return ok("worker", f"A detached process runs in {report.python}.")


def secret_for_worker(context: CheckContext) -> Check:
    """Check that a detached process can read the secret; some keyrings answer a desktop session only."""
    name = "secret for the worker"
    skipped = skip_lookup(name, context)
    if skipped is not None:
        return skipped
    report = context.worker
    if report.error:
        return see(name, "worker")
    if report.secret_source:
        return ok(name, f"A detached process reads it from the {report.secret_source}.")
    return problem(name, f"A detached process cannot read it: {report.reason}.", report.hint)
