"""Checks of the hook's program: whether it is installed, and whether it records an event."""

import json
import subprocess
import tempfile
from pathlib import Path

from infinium_codex.capture import install as hook_home
from infinium_codex.capture.records import Record, read_records
from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.hook_events import SESSION_START
from infinium_codex.codex.program import shell_command
from infinium_codex.doctor.checks import FIX, Check, ok, problem, unknown, warning
from infinium_codex.doctor.context import CheckContext
from infinium_codex.doctor.duplicates import read_our_hooks
from infinium_codex.doctor.listed_hooks import our_listed_hooks
from infinium_codex.session.files import SPOOL_SUFFIX

SESSION = "infinium-codex-doctor"
EVENT = SESSION_START.name
"""The event the check sends: it starts no worker."""
TIMEOUT_SECONDS = 10.0
MAX_OUTPUT_CHARACTERS = 200


def hook_program(context: CheckContext) -> Check:
    """Check that the directory the hook runs from is as this installation creates it."""
    name = "hook program"
    home = context.hook_places.data
    state = hook_home.check(context.hook_places, CODEX)
    if state.missing:
        missing = ", ".join(str(home / file) for file in state.missing)
        administrator = "Only your administrator can fix this, with 'infinium-codex managed-config --prepare'."
        return problem(name, f"Missing or a broken link: {missing}.", administrator if context.managed else FIX)
    if context.managed:
        return ok(name, f"{home} is managed by your administrator.")
    if state.outdated:
        return warning(name, f"{home} is not of this installation: {', '.join(state.outdated)}.", FIX)
    return ok(name, f"{home} is of this installation.")


def hook_runs(context: CheckContext) -> Check:
    """Run the registered command as Codex does, with a temporary spool, and look for the event in it."""
    name = "hook runs"
    if not context.is_recording:
        return unknown(name, "Not tested: nothing is recorded here now.")
    command = _command(context)
    if command is None:
        return unknown(name, "Not tested: no hook is registered.")
    payload = json.dumps({"session_id": SESSION, "cwd": str(context.cwd), "hook_event_name": EVENT}).encode()
    with tempfile.TemporaryDirectory(prefix="infinium-codex-doctor-") as spool:
        try:
            done = _run(command, payload, spool, context)
        except subprocess.TimeoutExpired:
            return problem(name, f"The hook timed out after {TIMEOUT_SECONDS:.0f} s.", FIX)
        recorded = any(_has_record(path, payload) for path in Path(spool).glob(f"*/*{SPOOL_SUFFIX}"))
    if done.returncode or done.stdout or done.stderr:
        output = (done.stdout + done.stderr).decode("utf-8", "replace").strip()[:MAX_OUTPUT_CHARACTERS]
        evidence = f"The hook must print nothing and exit with 0. Exit code {done.returncode}, output: {output}"
        return problem(name, evidence, "Run 'infinium-codex init' to register the hook again.")
    if not recorded:
        return problem(name, f"The hook ran but recorded nothing: {command}", FIX)
    return ok(name, "The hook recorded an event and printed nothing.")


def _command(context: CheckContext) -> str | None:
    """The command registered for EVENT: as Codex lists it, else as the hooks file has it."""
    listed = (hook.command for hook in our_listed_hooks(context) if hook.event == EVENT)
    return next(listed, None) or read_our_hooks(context.hooks.path, context).get(EVENT)


def _run(command: str, payload: bytes, spool: str, context: CheckContext) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        shell_command(command),
        input=payload,
        capture_output=True,
        cwd=context.hooks.root,
        env={**context.environ, "CONNECTOR_SESSION_DIR": spool},
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def _has_record(path: Path, payload: bytes) -> bool:
    with path.open("rb") as file:
        return any(isinstance(record, Record) and record.payload == payload for record in read_records(file))
