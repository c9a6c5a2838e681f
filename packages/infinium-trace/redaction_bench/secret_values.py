"""Values of secrets: what people choose and what machines make."""

import base64
import random
import string
import uuid

from case import text_of
from word_lists import PLAIN

_ALNUM = string.ascii_letters + string.digits
_SYMBOLS = "!@#%*+=-_.?^~"


def secret_value(rng: random.Random, *, url: bool = False, machine: bool = False) -> str:
    """A value of random kind; `url`: no character a URL would escape; `machine`: none a person would choose."""
    kinds = list(_MACHINE) if machine else [*_MACHINE, *_HUMAN]
    while True:
        value = rng.choice(kinds)(rng)
        if len(value) >= 6 and not (url and not set(value) <= set(_ALNUM + "-_.~")):
            return value


def _word(rng: random.Random) -> str:
    return rng.choice(PLAIN)


def _word_number(rng: random.Random) -> str:
    return f"{_word(rng).capitalize()}{rng.randint(10, 9999)}"


def _word_symbol_number(rng: random.Random) -> str:
    return f"{_word(rng).capitalize()}{rng.choice('!@#%*')}{rng.randint(1, 2026)}"


def _two_words(rng: random.Random) -> str:
    return _word(rng) + rng.choice(("", "", "-", "_")) + rng.choice((_word(rng), _word(rng).capitalize()))


def _passphrase(rng: random.Random) -> str:
    return rng.choice("-._").join(rng.sample(PLAIN, rng.randint(3, 5)))


def _leet(rng: random.Random) -> str:
    return (_word(rng) + _word(rng)).translate(str.maketrans("aeio", "4310")) + rng.choice(("", "!", "#1"))


def _one_word(rng: random.Random) -> str:
    return rng.choice([word for word in PLAIN if len(word) > 6])


def _random_symbols(rng: random.Random) -> str:
    return rng.choice(string.ascii_letters) + text_of(rng, _ALNUM + _SYMBOLS, rng.randint(9, 24)) + rng.choice(_ALNUM)


def _digits(rng: random.Random) -> str:
    return text_of(rng, "123456789", rng.randint(8, 12))


def _letters(rng: random.Random) -> str:
    return text_of(rng, string.ascii_letters, rng.randint(12, 32))


def _lower_letters(rng: random.Random) -> str:
    return text_of(rng, string.ascii_lowercase, rng.randint(12, 24))


def _alnum(rng: random.Random) -> str:
    return text_of(rng, _ALNUM, rng.randint(12, 48))


def _hex(rng: random.Random) -> str:
    return rng.randbytes(rng.choice((16, 16, 20, 24, 32, 32, 64))).hex()


def _base64(rng: random.Random) -> str:
    return base64.b64encode(rng.randbytes(rng.choice((16, 18, 24, 32, 33, 48)))).decode()


def _urlsafe(rng: random.Random) -> str:
    return "k" + base64.urlsafe_b64encode(rng.randbytes(rng.choice((18, 24, 32, 48)))).decode().rstrip("=") + "Z"


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(bytes=rng.randbytes(16), version=4))


_HUMAN = (
    _word_number, _word_symbol_number, _two_words, _passphrase, _leet, _one_word, _random_symbols, _digits,
)  # fmt: skip
_MACHINE = (_letters, _lower_letters, _alnum, _alnum, _hex, _hex, _base64, _urlsafe, _uuid)
