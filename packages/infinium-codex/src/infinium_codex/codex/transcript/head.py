"""What a transcript's line is, by its beginning: most lines are passed over and need no parsing for it."""

import re

from infinium_codex.codex.transcript.items import IGNORED

SAYS_NOTHING = IGNORED - {"message", "user_message"}
"""Records whose kind is all there is to know of them."""

_HEAD = re.compile(
    rb'\{ ?"timestamp": ?"([^"\\]{1,40})", ?(?:"ordinal": ?\d{1,20}, ?)?'
    rb'"type": ?"(\w{1,64})", ?"payload": ?\{ ?(?:"type": ?"(\w{1,64})")?'
)
_TOTAL = re.compile(rb'"total_token_usage": ?\{([^{}]{1,400})\}')
_INPUT, _OUTPUT = re.compile(rb'"input_tokens": ?(\d{1,18})\b'), re.compile(rb'"output_tokens": ?(\d{1,18})\b')


def read_head(line: bytes) -> tuple[str, bytes] | None:
    """The name of the record a line holds, and its time as it is written; None where only parsing tells."""
    match = _HEAD.match(line)
    if match is None:
        return None
    timestamp, kind, name = match.groups()
    if kind == b"event_msg" or kind == b"response_item":
        kind = name
    return None if kind is None else (kind.decode(), timestamp)


def total_tokens(line: bytes) -> int | None:
    """The session's tokens so far by a `token_count`, where they can be read off its text."""
    total = _TOTAL.search(line)
    if total is None:
        return None
    given, made = _INPUT.search(total[1]), _OUTPUT.search(total[1])
    return int(given[1]) + int(made[1]) if given and made else None
