"""Parse the text of a setting. Each parser returns the value or raises ValueError with what to write instead."""

import math
import os
import re
import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from infinium_config.model import LOCAL

REDACTION_MODES = ("off", "on", "metadata-only")
"""From the loosest to the tightest."""
MAX_PATTERNS = 100
MAX_PATTERN_LENGTH = 1_000
MAX_REPEATS = 100_000
"""Largest product of the repeat counts in one pattern, as in `(a{99}){99}`: compiling costs time and memory for it."""

_NOT_IN_A_URL = re.compile(r"[\s\x00-\x1f\x7f\\]")
"""urlsplit ignores line breaks and accepts a backslash in a host; HTTP clients read both differently."""
_REPEAT = re.compile(r"\{(\d{0,9})(?:,(\d{0,9}))?\}")


def parse_count(text: str) -> int:
    """Parse a whole number, zero or more."""
    if not re.fullmatch(r"\d{1,9}", text.strip()):
        raise ValueError("use a whole number, zero or more")
    return int(text)


def parse_directory(text: str) -> Path:
    """Parse an absolute path. `~` at its start, alone or before a slash, is the home directory."""
    try:
        first = text.replace(os.sep, "/").split("/")[0]
        path = Path(text).expanduser() if first in ("", "~") or not text.startswith("~") else Path()
    except RuntimeError:  # there is no home directory
        path = Path()
    if not path.is_absolute():
        raise ValueError("use an absolute path")
    return path


def parse_agent_id(text: str) -> str:
    """Parse a UUID. Upper case is kept, because the keyring stores the secret under the id as the user wrote it."""
    given = text.strip()
    try:
        canonical = str(uuid.UUID(given))
    except ValueError:
        raise ValueError("use the agent's UUID, as its page at Infinium shows it") from None
    return given if given.lower() == canonical else canonical


def parse_base_url(text: str) -> str:
    """Parse an http or https URL, or the word `local`. A trailing slash is removed."""
    url = text.strip().rstrip("/")
    if url.lower() == LOCAL:
        return LOCAL
    try:
        valid = not _NOT_IN_A_URL.search(url) and _is_plain_web_address(urlsplit(url))
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("use an https:// address without user, query or fragment, or the word local")
    return url


def _is_plain_web_address(parts: SplitResult) -> bool:
    """Whether a URL has scheme, host, port and path only. Raises ValueError if its port is no number."""
    has_extras = any((parts.username, parts.password, parts.query, parts.fragment))
    return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not has_extras


def parse_redaction(text: str) -> str:
    """Parse a redaction mode: on, off or metadata-only."""
    word = text.strip().lower()
    if word not in REDACTION_MODES:
        raise ValueError(f"use one of {', '.join(REDACTION_MODES)}")
    return word


def parse_patterns(text: str) -> tuple[str, ...]:
    """Parse regular expressions, one a line. Blank lines are ignored. `pattern_error` checks each of them."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def parse_safe_directories(text: str) -> tuple[str, ...]:
    """Parse absolute paths, separated as in PATH, or `*`."""
    return check_directories([part for part in text.strip().split(os.pathsep) if part])


def check_directories(paths: Sequence[str]) -> tuple[str, ...]:
    """Check that every path is absolute or `*`."""
    for path in paths:
        if path != "*" and not Path(path).is_absolute():
            raise ValueError(f"use absolute paths or *, not {path!r}")
    return tuple(paths)


def pattern_error(pattern: str) -> str | None:
    """Why a regular expression cannot be used; None if it can.

    It is compiled by the engine that searches for it (`regex`): what that refuses differs from what `re` refuses. One
    that is too expensive is refused too, because a repository may supply it.
    """
    if len(pattern) > MAX_PATTERN_LENGTH:
        return f"it is longer than {MAX_PATTERN_LENGTH:,} characters"
    repeats = [int(high or low or 1) or 1 for low, high in _REPEAT.findall(pattern)]
    if math.prod(repeats) > MAX_REPEATS:
        return f"its repeat counts multiply to more than {MAX_REPEATS:,}"
    import regex  # takes long to import, and few users have patterns

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice to the author of the pattern
            regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError, ValueError) as error:
        return f"it is not a regular expression ({error})"
    return None
