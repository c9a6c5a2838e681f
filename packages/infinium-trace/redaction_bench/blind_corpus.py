"""A corpus of texts with a secret and of look-alikes without one, made of formats and word lists by a seed.

Written before its author read the redaction rules, from the published formats of the providers and tools.
"""

import random
from collections.abc import Callable, Iterator

import command_syntaxes
import file_syntaxes
import look_alikes
from case import Case

_Maker = Callable[[random.Random], Case]

# Maker and its share.
_POSITIVES: tuple[tuple[_Maker, int], ...] = (
    (file_syntaxes.assigned, 44),
    (command_syntaxes.command, 16),
    (command_syntaxes.sql, 4),
    (command_syntaxes.header, 4),
    (command_syntaxes.credential_file, 6),
    (command_syntaxes.url, 7),
    (command_syntaxes.provider, 10),
    (command_syntaxes.key_or_web_token, 3),
    (command_syntaxes.prose, 3),
    (command_syntaxes.foreign_assigned, 3),
)
_LOOK_ALIKES: tuple[tuple[_Maker, int], ...] = (
    (look_alikes.innocent_name, 26),
    (look_alikes.plain_name, 6),
    (look_alikes.code, 24),
    (look_alikes.command, 10),
    (look_alikes.prose, 8),
    (look_alikes.resource, 8),
    (look_alikes.digest, 12),
    (look_alikes.translation, 3),
    (look_alikes.foreign_prose, 3),
)


def positives(seed: int, count: int) -> Iterator[Case]:
    """`count` texts that each hold one secret."""
    return _made(_POSITIVES, random.Random(f"positives {seed}"), count)


def without_secrets(seed: int, count: int) -> Iterator[Case]:
    """`count` look-alikes."""
    return _made(_LOOK_ALIKES, random.Random(f"look-alikes {seed}"), count)


def _made(makers: tuple[tuple[_Maker, int], ...], rng: random.Random, count: int) -> Iterator[Case]:
    seen: set[str] = set()
    kinds, shares = zip(*makers, strict=True)
    while len(seen) < count:
        made = rng.choices(kinds, weights=shares)[0](rng)
        if made.text not in seen:
            seen.add(made.text)
            yield made
