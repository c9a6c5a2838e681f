"""Whether hooks see the variables of this shell: those of the terminal UI run in Codex's daemon, with the daemon's."""

from infinium_codex.codex.daemon import PROC, RESTART, find_daemon
from infinium_codex.doctor.checks import Check, ok, unknown, warning
from infinium_codex.doctor.situation import Situation


def variables(s: Situation) -> Check:
    """Names are told, values never."""
    name = "daemon"
    if not PROC.is_dir():
        return unknown(name, "whether Codex's daemon has the variables of this shell is not seen on this system")
    daemon = find_daemon(s.environ)
    if daemon is None:
        return ok(name, "none runs: hooks will have the variables of the shell that starts Codex")
    known = f"Codex's daemon (process {daemon.pid})"
    if daemon.differs:
        names = ", ".join(daemon.differs)
        return warning(name, f"hooks of the terminal UI run in {known}, which has other variables: {names}", RESTART)
    but = f", but for {', '.join(daemon.harmless)}" if daemon.harmless else ""
    return ok(name, f"{known} has the same variables{but}")
