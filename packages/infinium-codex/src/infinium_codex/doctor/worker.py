"""Checks of the worker: whether a detached process starts, and whether it can read the secret."""

import os
import sys

from infinium_config import KEYRING_SERVICE

from infinium_codex.doctor.checks import FIX, Check, ok, problem, see
from infinium_codex.doctor.context import CheckContext
from infinium_codex.doctor.secret import skip_lookup
from infinium_codex.doctor.worker_process import WorkerReport


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
    return problem(name, f"A detached process cannot read it: {report.reason}.", fix_for_worker(report, sys.platform))


def fix_for_worker(report: WorkerReport, platform: str) -> str:
    """What to do where a detached process cannot read the secret.

    The Keychain of macOS lets the program read an item that wrote it. Another Python needs the user's permission.
    """
    if platform != "darwin" or not report.python:
        return report.hint
    python = os.path.realpath(f"{report.python}/bin/python")
    item = f"the item '{KEYRING_SERVICE}'"
    return f"{report.hint} Or open Keychain Access, and allow {python} in the access control of {item}."
