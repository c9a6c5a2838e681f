"""The schedule: what is to be done later, one file per entry, read by the scheduler.

An entry is a session's spool together with the agent and the variables its settings came from, so that the session is
traced later as it would have been at once; or it is the outbox, whose next trace is due after a while. Entries hold no
secret. The fields of a file end in zero bytes, which neither paths nor variables can contain.

A worker imports this module at every prompt, so it imports only what the interpreter has already loaded.
"""

import os
import time
from binascii import crc32

from infinium_config.files import read_small_file, remove_file, write_atomically

TYPE_CHECKING = False  # importing typing or collections costs more than this module
if TYPE_CHECKING:
    from collections.abc import Mapping

OUTBOX = "outbox"
"""Name of the entry for the outbox."""
LINK = "schedule"
"""Beside the spools, a link to the schedule (on Windows a file with its path): reading it is cheaper at a prompt than
computing the state directory."""
GRACE = 86_400.0
"""Seconds after the stale time for which the spool of a session that cannot be traced is kept."""
SAVED_VARIABLES = frozenset(
    {
        *("CONNECTOR_FLUSH_ON_SESSION_END", "CONNECTOR_FLUSH_ON_STOP", "CONNECTOR_MAX_FAILURE_PREVIEW"),
        *("CONNECTOR_MAX_INPUT_PREVIEW", "CONNECTOR_REASONING", "CONNECTOR_SAFE_DIRECTORIES"),
        *("CONNECTOR_MAX_INPUT_SUMMARY", "CONNECTOR_MAX_OUTPUT_PREVIEW", "CONNECTOR_MAX_OUTPUT_SUMMARY"),
        *("CONNECTOR_QUIET", "CONNECTOR_REDACTION", "CONNECTOR_REDACT_ALLOW", "CONNECTOR_REDACT_PATTERNS"),
        *("CONNECTOR_SESSION_DIR", "CONNECTOR_SESSION_TTL", "CONNECTOR_WAIT_ON_END", "INFINIUM_AGENT_ID"),
        *("INFINIUM_BASE_URL", "INFINIUM_MAX_RETRIES", "INFINIUM_TIMEOUT", "INFINIUM_VERIFY_SSL"),
        *("CONNECTOR_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"),
        *("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
        *("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "OTEL_METRICS_EXPORTER", "OTEL_RESOURCE_ATTRIBUTES"),
        *("OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_TRACES_EXPORTER"),
    }
)
"""The variables of a session that are written to its entry: those of the settings and of the OTLP export, and no other.
A test compares them with infinium-config and `otlp/variables.py`, whose import takes too long at a prompt."""


class Schedule:
    """The entries in `directory`."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def has(self, name: str) -> bool:
        """Whether there is an entry of this name."""
        return os.path.exists(f"{self.directory}/{name}")  # noqa: PTH110

    def add_session(self, spool: str, agent: str, environ: "Mapping[str, str]", *, quiet: float | None = None) -> None:
        """Have the session closed when nothing was written to its spool for `quiet` seconds (default: stale time).

        `agent` is the import reference of the session's agent (`infinium_codex.agent.load_agent`).
        """
        saved = (f"{name}={value}" for name, value in environ.items() if name in SAVED_VARIABLES)
        if quiet is None:
            from infinium_config.variables import session_ttl  # most prompts find an entry and do not need it

            quiet = session_ttl(environ)
        from infinium_codex.support.spool_directories import remember_spool_directory

        remember_spool_directory(self.directory, os.path.dirname(spool))  # noqa: PTH120
        self._write(entry_name(spool), [str(quiet), spool, agent, *saved])

    def add_outbox(self, seconds: float, *, keep_earlier: bool = False) -> bool:
        """Have the outbox sent in this many seconds; return whether that is new.

        With `keep_earlier` an entry that is due sooner stays.
        """
        if keep_earlier and self._outbox_due() <= time.time() + seconds:
            return False
        self._write(OUTBOX, [str(max(seconds, 0.0)), ""])
        return True

    def remove(self, name: str) -> None:
        """Remove an entry. The scheduler notices when it next reads the schedule."""
        try:
            remove_file(f"{self.directory}/{name}")
        except FileNotFoundError:
            pass

    def entries(self) -> dict[str, tuple[str, float]]:
        """For each entry the file it watches, and the seconds without a write after which it is due.

        An entry that cannot be read is left out.
        """
        found = {}
        try:
            names = os.listdir(self.directory)  # noqa: PTH208
        except OSError:
            return {}
        for name in names:
            if name.startswith("."):
                continue
            try:
                quiet, watched = self._read(name)[:2]
                found[name] = (watched or f"{self.directory}/{name}", float(quiet))
            except (OSError, ValueError):
                continue
        return found

    def session(self, name: str) -> tuple[str, str, dict[str, str]] | None:
        """Spool, agent and variables of an entry; None if there is no such entry or it is not a session's."""
        try:
            _, spool, agent, *variables = self._read(name)
        except (OSError, ValueError):
            return None
        if not spool.endswith(".spool"):
            return None
        saved = (variable.partition("=") for variable in variables)
        return spool, agent, {name: value for name, _, value in saved if name in SAVED_VARIABLES}

    def _outbox_due(self) -> float:
        """When the outbox is to be sent, seconds since the epoch; infinity if that is not scheduled."""
        try:
            written = os.stat(f"{self.directory}/{OUTBOX}").st_mtime  # noqa: PTH116
            return written + float(self._read(OUTBOX)[0])
        except (OSError, ValueError, IndexError):
            return float("inf")

    def _read(self, name: str) -> list[str]:
        with open(f"{self.directory}/{name}", "rb") as file:  # noqa: PTH123
            return os.fsdecode(file.read()).split("\0")[:-1]

    def _write(self, name: str, fields: list[str]) -> None:
        os.makedirs(self.directory, 0o700, exist_ok=True)  # noqa: PTH103
        content = b"".join(os.fsencode(field) + b"\0" for field in fields)
        # Not synced: after a power failure there is no session that could go on, and the next worker writes it anew.
        write_atomically(f"{self.directory}/{name}", content, durable=False)


def entry_name(spool: str) -> str:
    """The name of a session's entry: its id and a checksum of the directory, as a session can have several spools."""
    directory, name = os.path.split(spool)
    return f"{name.removesuffix('.spool')}-{crc32(os.fsencode(directory)):08x}"


def linked_schedule(spools: str) -> str | None:
    """The schedule of the sessions with spools in this directory; None if there is no link to it."""
    if os.name == "nt":
        content = read_small_file(f"{spools}/{LINK}")
        return None if content is None else content.decode("utf-8", "surrogatepass")
    try:
        return os.readlink(f"{spools}/{LINK}")  # noqa: PTH115
    except OSError:
        return None


def link_schedule(spools: str, schedule: str) -> None:
    """Make the link of a directory of spools point to the schedule. Raises OSError."""
    if linked_schedule(spools) == schedule:
        return
    if os.name == "nt":
        write_atomically(f"{spools}/{LINK}", schedule.encode("utf-8", "surrogatepass"), durable=False)
        return
    from pathlib import Path

    from infinium_codex.support.files import replace_link

    replace_link(Path(spools, LINK), schedule)


def with_variables(environ: "Mapping[str, str]", saved: "Mapping[str, str]") -> dict[str, str]:
    """`environ` with the saved variables in place of its own. Its secret stays."""
    return {name: value for name, value in environ.items() if name not in SAVED_VARIABLES} | dict(saved)
