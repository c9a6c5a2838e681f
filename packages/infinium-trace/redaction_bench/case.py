"""One text of the corpus, and the templates it is made of."""

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A text that holds one secret, or a look-alike that holds none.

    `secret` is empty for a look-alike. `topic` names the generator's rule that wrote the text; `suffix` is the
    file name's ending, which other scanners read.
    """

    text: str
    secret: str
    topic: str
    suffix: str


@cache
def templates(file: str) -> tuple[str, ...]:
    """The lines of a file of templates; the mark ⏎ stands for a line's end within a template."""
    return tuple(line.replace("⏎", "\n") for line in (TEMPLATES / file).read_text("utf-8").splitlines())


def words(file: str) -> tuple[str, ...]:
    """The words of a file of words."""
    return tuple((TEMPLATES / "words" / file).read_text("utf-8").split())


def text_of(rng: random.Random, alphabet: str, length: int) -> str:
    """`length` random characters of the alphabet."""
    return "".join(rng.choices(alphabet, k=length))
