"""Text to values: each parser gives the value or raises ValueError with words for a person."""

import math
import re
import uuid
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from infinium_config.model import LOCAL

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_NOT_IN_A_URL = re.compile(r"[\s\x00-\x1f\x7f\\]")
"""urlsplit passes over line breaks and takes a backslash for part of a host; HTTP clients read both otherwise."""
REDACTION_MODES = ("off", "on", "metadata-only")
"""From loose to tight."""
MAX_PATTERNS = 100
MAX_PATTERN_LENGTH = 1_000
MAX_REPEATS = 100_000
_REPEAT = re.compile(r"\{(\d{0,9})(?:,(\d{0,9}))?\}")


def parse_bool(text: str) -> bool:
    """1, true, yes, on or 0, false, no, off, in any case."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("use true or false")


def parse_count(text: str) -> int:
    """A whole number, zero or more."""
    if not re.fullmatch(r"\d{1,9}", text.strip()):
        raise ValueError("use a whole number, zero or more")
    return int(text)


def parse_seconds(text: str) -> float:
    """A number of seconds above zero."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e9:
        raise ValueError("use a number of seconds above zero")
    return seconds


def parse_directory(text: str) -> Path:
    """An absolute directory; `~` is the home directory."""
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # `~` of nobody this system knows
        path = Path()
    if not path.is_absolute():
        raise ValueError("use an absolute path")
    return path


def parse_agent_id(text: str) -> str:
    """A UUID, in the letters it was given in: the keyring knows the secret by them."""
    given = text.strip()
    try:
        canonical = str(uuid.UUID(given))
    except ValueError:
        raise ValueError("use the agent's UUID, as its page at Infinium shows it") from None
    return given if given.lower() == canonical else canonical


def parse_base_url(text: str) -> str:
    """An http or https URL without a trailing slash, or `local`."""
    url = text.strip().rstrip("/")
    if url.lower() == LOCAL:
        return LOCAL
    try:
        parts = urlsplit(url)
        extras = parts.username or parts.password or parts.query or parts.fragment
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not extras
    except ValueError:
        valid = False
    if not valid or _NOT_IN_A_URL.search(url):
        raise ValueError("use an https:// address without user, query or fragment, or the word local")
    return url


def parse_redaction(text: str) -> str:
    """on, off or metadata-only."""
    word = text.strip().lower()
    if word not in REDACTION_MODES:
        raise ValueError(f"use one of {', '.join(REDACTION_MODES)}")
    return word


def parse_patterns(text: str) -> tuple[str, ...]:
    """Regular expressions, one a line; blank lines do not count."""
    return check_patterns([line.strip() for line in text.splitlines() if line.strip()])


def check_patterns(patterns: Sequence[str]) -> tuple[str, ...]:
    """The regular expressions, of a size that can be afforded: they may stand in a file of anybody's."""
    if len(patterns) > MAX_PATTERNS:
        raise ValueError(f"use at most {MAX_PATTERNS} regular expressions")
    for pattern in patterns:
        if len(pattern) > MAX_PATTERN_LENGTH:
            raise ValueError(f"{pattern[:40]!r}… is longer than {MAX_PATTERN_LENGTH:,} characters")
        if math.prod(int(high or low or 1) or 1 for low, high in _REPEAT.findall(pattern)) > MAX_REPEATS:
            raise ValueError(f"the counts in {pattern[:40]!r} multiply to more than {MAX_REPEATS:,}")
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{pattern[:40]!r} is no regular expression ({error})") from None
    return tuple(patterns)
