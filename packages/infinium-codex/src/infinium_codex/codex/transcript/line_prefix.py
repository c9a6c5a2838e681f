"""Reads a transcript line's kind from its first bytes. Most lines are skipped, and need no parsing for that."""

import re

_PREFIX = re.compile(
    rb'\{ ?"timestamp": ?"([^"\\]{1,40})", ?(?:"ordinal": ?\d{1,20}, ?)?'
    rb'"type": ?"(\w{1,64})", ?"payload": ?\{ ?(?:"type": ?"(\w{1,64})")?'
)
_NO_SUMMARY = re.compile(rb'"summary": ?\[\]')
_SUMMARY_WITHIN = 400
_TOTAL = re.compile(rb'"total_token_usage": ?\{([^{}]{1,400})\}')
_INPUT, _OUTPUT = re.compile(rb'"input_tokens": ?(\d{1,18})\b'), re.compile(rb'"output_tokens": ?(\d{1,18})\b')


def read_prefix(line: bytes) -> tuple[str, bytes] | None:
    """Return the record's kind and its timestamp, or None if the line has to be parsed to know them."""
    match = _PREFIX.match(line)
    if match is None:
        return None
    timestamp, kind, inner_kind = match.groups()
    if kind == b"event_msg" or kind == b"response_item":
        kind = inner_kind
    return None if kind is None else (kind.decode(), timestamp)


def has_summary(line: bytes) -> bool:
    """Return whether a `reasoning` line has a summary. Most have encrypted content alone."""
    return not _NO_SUMMARY.search(line, 0, _SUMMARY_WITHIN)


def total_tokens(line: bytes) -> int | None:
    """Return the session's tokens so far from a `token_count` line, or None if its text does not show them."""
    total = _TOTAL.search(line)
    if total is None:
        return None
    prompt, completion = _INPUT.search(total[1]), _OUTPUT.search(total[1])
    return int(prompt[1]) + int(completion[1]) if prompt and completion else None
