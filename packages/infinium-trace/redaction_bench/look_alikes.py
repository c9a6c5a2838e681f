"""Texts that look as if they held a secret and hold none."""

import base64
import random
import string
import uuid

from case import Case, templates, text_of
from file_syntaxes import fill
from secret_names import STYLES, in_style, secret_name
from word_lists import COMPANIES, DOMAINS, PEOPLE, PLAIN, SERVICES

_ALNUM = string.ascii_letters + string.digits

_PLAIN_NAMES = (
    "checksum",
    "digest",
    "etag",
    "commit",
    "sha",
    "revision",
    "fingerprint",
    "build_id",
    "trace_id",
    "request_id",
    "span_id",
    "image",
    "color",
    "version",
)


def innocent_name(rng: random.Random) -> Case:
    """A value assigned to a name that has a secret's word in it and means none."""
    words = rng.choice(templates("look_alikes/names.txt")).split()
    if rng.random() < 0.3:
        words = [rng.choice((*SERVICES, *COMPANIES)), *words]
    name = in_style(words, rng.choice(STYLES[:5]))
    text = rng.choice(templates("look_alikes/assignments.txt")).format(name=name, value=_harmless(rng, words))
    return _case(text, "innocent name")


def plain_name(rng: random.Random) -> Case:
    """A digest or identifier assigned to a name that means one."""
    name, marks = rng.choice(_PLAIN_NAMES), _marks(rng)
    value = marks[rng.choice(("sha1", "sha256", "md5", "uuid", "sha7"))]
    return _case(rng.choice(templates("look_alikes/assignments.txt")).format(name=name, value=value), "plain name")


def code(rng: random.Random) -> Case:
    """Code that handles a secret without containing it."""
    return _filled(rng, "code", ".py")


def command(rng: random.Random) -> Case:
    """A command whose options look like those that take a secret."""
    return _filled(rng, "commands", ".sh")


def prose(rng: random.Random) -> Case:
    """A sentence about secrets."""
    return _filled(rng, "prose")


def resource(rng: random.Random) -> Case:
    """A path or resource name that names a secret."""
    return _filled(rng, "resources")


def digest(rng: random.Random) -> Case:
    """A digest, identifier or public key."""
    return _filled(rng, "digests")


def translation(rng: random.Random) -> Case:
    """A label of a user interface."""
    return _filled(rng, "translations", ".json")


def foreign_prose(rng: random.Random) -> Case:
    """A sentence about passwords in another language."""
    return _case(rng.choice(templates("look_alikes/foreign_prose.txt")), "foreign prose")


def _filled(rng: random.Random, topic: str, suffix: str = ".txt") -> Case:
    text = rng.choice(templates(f"look_alikes/{topic}.txt"))
    for mark, value in _marks(rng).items():
        text = text.replace("{" + mark + "}", value)
    return _case(fill(rng, text, "", secret_name(rng)), topic, suffix)


def _harmless(rng: random.Random, words: list[str]) -> str:
    """A value such a name has."""
    if words[-2:] == ["page", "token"]:
        return base64.urlsafe_b64encode(rng.randbytes(rng.choice((12, 24, 48)))).decode().rstrip("=")
    word, other = rng.sample(PLAIN, 2)
    return rng.choice(
        (
            f"{word}-{other}-v{rng.randint(1, 9)}",
            f"{word}_{other}",
            f"{word}:{other}",
            f"{word}.{other}.{rng.choice(PLAIN)}",
            word,
            f"app:{word}:{rng.randint(1, 999)}",
            f"{word}/{other}.json",
            f"#{word}-{other}",
            f"{word}{other.capitalize()}",
            f"https://{rng.choice(DOMAINS)}/{word}",
            f"@{word}/{other}",
            str(rng.randint(1, 9999)),
        )
    )


def _marks(rng: random.Random) -> dict[str, str]:
    """Values for the marks of a template."""
    words = rng.sample(PLAIN, 2)
    b64 = {f"b64_{size}": base64.b64encode(rng.randbytes(size)).decode().rstrip("=") for size in (20, 32, 48, 64)}
    hexes = {f"hex{size}": text_of(rng, "0123456789abcdef", size) for size in (6, 16, 32)}
    return {
        "word": words[0],
        "word2": words[1],
        "number": str(rng.randint(2, 9000)),
        "user": rng.choice(PEOPLE),
        "host": rng.choice(DOMAINS),
        "digit": str(rng.randint(1, 9)),
        "sha1": rng.randbytes(20).hex(),
        "sha7": rng.randbytes(4).hex()[:7],
        "sha256": rng.randbytes(32).hex(),
        "md5": rng.randbytes(16).hex(),
        "twelve": text_of(rng, "123456789", 12),
        "uuid": str(uuid.UUID(bytes=rng.randbytes(16), version=4)),
        "six": text_of(rng, _ALNUM, 6),
        "upper8": text_of(rng, string.ascii_uppercase + string.digits, 8),
        "alnum24": text_of(rng, _ALNUM, 24),
        **b64,
        **hexes,
    }


def _case(text: str, topic: str, suffix: str = ".txt") -> Case:
    return Case(text=text + "\n", secret="", topic=f"look-alike {topic}", suffix=suffix)
