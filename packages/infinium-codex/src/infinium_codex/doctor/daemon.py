"""Check of Codex's daemon, in which the terminal UI's hooks run: whether it has this shell's variables."""

from infinium_codex.codex.daemon import RESTART, find_daemon
from infinium_codex.doctor.checks import Check, ok, warning
from infinium_codex.doctor.context import CheckContext


def daemon(context: CheckContext) -> Check:
    """Compare the daemon's variables with this shell's. Prints names only, never values."""
    name = "daemon"
    found = find_daemon(context.environ)
    if found is None:
        return ok(name, "Not running: hooks get the variables of the shell that starts Codex.")
    process = f"Codex's daemon (process {found.pid})"
    if found.differs:
        evidence = f"{process} runs the terminal UI's hooks and has other variables: {', '.join(found.differs)}."
        return warning(name, evidence, RESTART)
    except_for = f", except {', '.join(found.harmless)}" if found.harmless else ""
    return ok(name, f"{process} has the same variables{except_for}.")
