"""A secret found in a text."""

import re
from enum import IntEnum
from functools import cache
from typing import NamedTuple


class Rank(IntEnum):
    """Order of the rules. Where two rules find the same text, the lower rank determines the kind."""

    OWN = 0
    PRIVATE_KEY = 1
    CUSTOM = 2
    PROVIDER = 3
    ANCHORED = 4
    ASSIGNMENT = 5
    MARKER = 6


class Span(NamedTuple):
    """A secret in a text: start, end, rank of the rule, kind."""

    start: int
    end: int
    rank: Rank
    kind: str


_LINE = 2_000
"""Characters of a line that are searched to each side of a place."""


def line_around(text: str, at: int) -> tuple[int, int]:
    """Return start and end of the line around a place, or of its part around it if the line is long."""
    start = max(text.rfind("\n", max(0, at - _LINE), at) + 1, at - _LINE, 0)
    end = text.find("\n", at, at + _LINE)
    return start, max(at + 1, end if end >= 0 else min(len(text), at + _LINE))


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern on first use: most texts need few patterns."""
    return re.compile(pattern, re.ASCII)
