"""What a transcript's line is, by its beginning: most lines are passed over and need no parsing for it."""

import re
from typing import NamedTuple

from infinium_codex.transcript_items import IGNORED

STRUCTURE = frozenset({"session_meta", "task_started", "turn_context"})
"""Records that say where in the session the next ones are."""
TOKENS = frozenset({"token_count", "token_usage_record"})
SAYS_NOTHING = IGNORED - {"message", "user_message"}
"""Records whose kind is all there is to know of them."""

_HEAD = re.compile(
    rb'\{ ?"timestamp": ?"([^"\\]{1,40})", ?(?:"ordinal": ?\d{1,20}, ?)?'
    rb'"type": ?"(\w{1,64})", ?"payload": ?\{ ?(?:"type": ?"(\w{1,64})")?'
)
_TOTAL = re.compile(rb'"total_token_usage": ?\{([^{}]{1,400})\}')
_INPUT, _OUTPUT = re.compile(rb'"input_tokens": ?(\d{1,18})\b'), re.compile(rb'"output_tokens": ?(\d{1,18})\b')


class Head(NamedTuple):
    """A record's time, as it is written, and its name."""

    timestamp: str
    name: str


def read_head(line: bytes) -> Head | None:
    """The head of a line that begins as Codex writes it; None for any other, which has to be parsed."""
    match = _HEAD.match(line)
    if match is None:
        return None
    timestamp, kind, name = match.groups()
    if kind in (b"event_msg", b"response_item"):
        kind = name
    return None if kind is None else Head(timestamp.decode("ascii", "replace"), kind.decode())


def total_tokens(line: bytes) -> int | None:
    """The session's tokens so far by a `token_count`, where they can be read off its text."""
    total = _TOTAL.search(line)
    if total is None:
        return None
    given, made = _INPUT.search(total[1]), _OUTPUT.search(total[1])
    return int(given[1]) + int(made[1]) if given and made else None
