"""A second corpus, by another author than the first: the formats and word lists of formats.toml, filled in by a seed.

Its author had read neither the redaction rules nor their tests nor the first corpus when it was written.
"""

import base64
import random
import re
import string
import tomllib
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from case import Case, text_of

_FORMATS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("formats.toml").read_text("utf-8"))
_MARK = re.compile(r"§([A-Za-z])")
_TOKEN_PART = re.compile(r"§([AaflD])(\d+)")
_ALNUM = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"
_VENDOR_SHARE, _LANGUAGE_SHARE, _SURROUNDED_SHARE = 0.06, 0.12, 0.3


def positives(seed: int, count: int) -> Iterator[Case]:
    """`count` texts that each hold one secret."""
    return _distinct(_secret, random.Random(f"formats {seed}"), count)


def without_secrets(seed: int, count: int) -> Iterator[Case]:
    """`count` look-alikes."""
    return _distinct(_harmless, random.Random(f"harmless formats {seed}"), count)


def _distinct(make: Callable[[random.Random], Case], rng: random.Random, count: int) -> Iterator[Case]:
    seen: set[str] = set()
    while len(seen) < count:
        made = make(rng)
        if made.text not in seen:
            seen.add(made.text)
            yield made


def _secret(rng: random.Random) -> Case:
    share = rng.random()
    if share < _VENDOR_SHARE:
        return _vendor(rng)
    if share < _VENDOR_SHARE + _LANGUAGE_SHARE:
        return _language(rng)
    kind = rng.choice(sorted(_FORMATS["secret"]))
    template = rng.choice(_FORMATS["secret"][kind]["templates"])
    value = _value(rng, plain="§v" not in template)
    return _case(rng, template, value, topic=kind)


def _harmless(rng: random.Random) -> Case:
    kind = rng.choice(sorted(_FORMATS["harmless"]))
    return _case(rng, rng.choice(_FORMATS["harmless"][kind]["templates"]), "", topic=kind)


def _language(rng: random.Random) -> Case:
    language = rng.choice(sorted(_FORMATS["language"]))
    names, sentences = _FORMATS["language"][language]["names"], _FORMATS["language"][language]["sentences"]
    name = rng.choice(names)
    written_out = " " in name or name.islower()
    template = rng.choice(sentences if written_out and rng.random() < 0.3 else _FORMATS["language_forms"]["templates"])
    value = _value(rng, plain="§v" not in template)
    template = template.replace("§l", name).replace("§j", re.sub(r"[ '’-]", "_", name))
    return _case(rng, template, value, topic=language)


def _vendor(rng: random.Random) -> Case:
    def part(mark: re.Match[str]) -> str:
        upper = string.ascii_uppercase + string.digits
        alphabet = {"A": upper, "a": _ALNUM, "f": _HEX, "l": string.ascii_letters, "D": string.digits}
        return text_of(rng, alphabet[mark[1]], int(mark[2]))

    token = _TOKEN_PART.sub(part, rng.choice(_FORMATS["vendor"]["templates"]))
    template = rng.choice(_FORMATS["vendor"]["contexts"]).replace("§t", "§s")
    return _case(rng, template, token, topic="vendor")


def _case(rng: random.Random, template: str, value: str, *, topic: str) -> Case:
    if rng.random() < _SURROUNDED_SHARE:
        template = rng.choice(_FORMATS["surroundings"]["templates"]).replace("§t", template)
    user, name = rng.choice(_names("users")), _name(rng)
    basic = base64.b64encode(f"{user}:{value}".encode()).decode()
    fill: dict[str, Callable[[], str]] = {
        "N": lambda: "_".join(name).upper(),
        "n": lambda: "_".join(name),
        "c": lambda: name[0] + "".join(word.capitalize() for word in name[1:]),
        "P": lambda: "".join(word.capitalize() for word in name),
        "k": lambda: "-".join(name),
        "d": lambda: ".".join(name),
        "v": lambda: value,
        "s": lambda: value,
        "u": lambda: user,
        "h": lambda: rng.choice(_names("hosts")),
        "w": lambda: rng.choice(_names("words")),
        "b": lambda: basic,
        "i": lambda: str(rng.randrange(2, 9_000)),
        "j": lambda: str(rng.randrange(1, 10)),
        "x": lambda: text_of(rng, _HEX, 40),
        "X": lambda: text_of(rng, _HEX, 64),
        "z": lambda: text_of(rng, _HEX, 7),
        "y": lambda: text_of(rng, _ALNUM, 43),
        "g": lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
    }
    text = _MARK.sub(lambda mark: fill[mark[1]](), template)
    return Case(text=text, secret=(basic if "§b" in template else value), topic=topic, suffix=".txt")


def _name(rng: random.Random) -> list[str]:
    prefix = rng.choice(_names("prefixes")).split() if rng.random() < 0.6 else []
    suffix = rng.choice(_names("suffixes")).split() if rng.random() < 0.3 else []
    return [*prefix, *rng.choice(_names("stems")).split(), *suffix]


@cache
def _names(kind: str) -> Sequence[str]:
    found: list[str] = _FORMATS["names"][kind]
    return found


def _value(rng: random.Random, *, plain: bool) -> str:
    """A secret's value: of a machine, or as people choose them; `plain` ones need no quotes anywhere."""
    pieces: list[str] = _FORMATS["values"]["pieces"]
    one, two, three = rng.sample(pieces, 3)
    machine: list[Callable[[], str]] = [
        lambda: text_of(rng, _ALNUM, rng.randrange(16, 48)),
        lambda: text_of(rng, _HEX, rng.choice((32, 40, 64))),
        lambda: text_of(rng, _ALNUM + "-_", rng.randrange(20, 44)),
        lambda: text_of(rng, string.ascii_lowercase, rng.randrange(16, 32)),
        lambda: text_of(rng, string.ascii_letters, rng.randrange(16, 40)),
        lambda: text_of(rng, string.ascii_uppercase + string.digits, rng.randrange(16, 32)),
    ]
    human: list[Callable[[], str]] = [
        lambda: f"{one.capitalize()}{rng.randrange(10, 3_000)}",
        lambda: f"{one}-{two}-{rng.randrange(10, 100)}",
        lambda: one + two + three,
        lambda: f"{one}{two.capitalize()}",
        lambda: f"{one.capitalize().replace('a', '4').replace('e', '3')}_{two}{rng.randrange(100)}",
        lambda: f"{one.capitalize()}.{two}.{rng.randrange(1_000)}",
    ]
    marked: list[Callable[[], str]] = [
        lambda: f"{one.capitalize()}-{rng.randrange(10, 3_000)}!",
        lambda: f"{one}&{two}#{rng.randrange(100)}",
        lambda: text_of(rng, _ALNUM + "!#%&*+-=?@^_~.,", rng.randrange(12, 28)),
        lambda: f"{one} {two} {three} {rng.randrange(100)}",
        lambda: base64.b64encode(rng.randbytes(rng.choice((24, 32, 40)))).decode(),
    ]
    return rng.choice(rng.choice([machine, human] if plain else [machine, human, marked]))()
