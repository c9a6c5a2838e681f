"""Read one environment variable without loading the other settings.

Code that runs on every hook event imports this module; it loads nothing else of the package.
"""

TYPE_CHECKING = False  # importing typing costs more than this module
if TYPE_CHECKING:
    from collections.abc import Mapping

SESSION_TTL_VARIABLE = "CONNECTOR_SESSION_TTL"
SESSION_TTL_SECONDS = 600.0
"""The default of the setting `session_ttl`."""
QUIET_VARIABLE = "CONNECTOR_QUIET"

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


def session_ttl(environ: "Mapping[str, str]") -> float:
    """Seconds without an event after which a session counts as ended; the default if the variable is invalid."""
    try:
        return parse_seconds(environ.get(SESSION_TTL_VARIABLE, ""))
    except ValueError:
        return SESSION_TTL_SECONDS


def parse_bool(text: str) -> bool:
    """Parse 1, true, yes, on or 0, false, no, off, in any case. Raises ValueError."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("use true or false")


def parse_wait(text: str) -> float:
    """Parse a number of seconds, zero or more. Raises ValueError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise ValueError("use a number of seconds, zero or more")
    return seconds


def parse_seconds(text: str) -> float:
    """Parse a number of seconds above zero. Raises ValueError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e9:
        raise ValueError("use a number of seconds above zero")
    return seconds
