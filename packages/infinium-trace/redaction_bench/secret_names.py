"""Names that mean a secret, in the styles of identifiers."""

import random

from case import words
from word_lists import COMPANIES, ENVIRONMENTS, FOREIGN_NAMES, SERVICES, SUFFIXES

# A name of one of these alone means a secret.
_CORES = (
    "password", "password", "password", "passwd", "pwd", "passphrase", "pass", "pw", "secret", "secret", "token",
    "token", "api key", "api key", "apikey", "secret key", "secret key", "access key", "private key", "auth token",
    "access token", "refresh token", "client secret", "signing key", "signing secret", "encryption key", "master key",
    "pat", "webhook secret", "session secret", "cookie secret", "jwt secret", "app password", "bot token",
    "account key", "shared key", "auth key", "secret key base", "fernet key", "hmac key", "bearer token",
    "deploy token", "service key", "root password", "user password", "credential", "encryption secret", "api secret",
    "api token", "consumer secret", "personal access token", "access secret", "storage account key", "license key",
    "totp secret", "secret access key", "private token", "id token", "admin token", "crypt key", "cipher key",
)  # fmt: skip
# Short words that a prefix or suffix makes unmistakable.
_ABBREVIATED = ("pass", "pw", "pat", "pwd", "psw", "passwd", "creds", "tok", "secr", "pswd")
# A vendor's name before KEY means the vendor's key.
_VENDORS = words("vendors.txt")

STYLES = ("upper", "lower", "camel", "pascal", "kebab", "dotted")


def secret_name(rng: random.Random) -> list[str]:
    """The words of a name that means a secret: a core with any prefix, suffix, environment, number or plural."""
    shape = rng.random()
    if shape < 0.12:
        words = [rng.choice(_VENDORS), "key"]
    elif shape < 0.24:
        words = [rng.choice((*SERVICES, *COMPANIES)), rng.choice(_ABBREVIATED)]
    elif shape < 0.30:
        words = [rng.choice(("token", "password", "secret", "apikey", "pass", "key secret")), rng.choice(_VENDORS)]
        words = " ".join(words).split()
    elif shape < 0.37:
        language = rng.choice([name for name, found in FOREIGN_NAMES.items() if found[0].isascii()])
        words = FOREIGN_NAMES[language][rng.choice((0, 2))].split("_")
    else:
        words = rng.choice(_CORES).split()
        if rng.random() < 0.5:
            words = [rng.choice((*SERVICES, *SERVICES, *COMPANIES)), *words]
    decoration = rng.random()
    if decoration < 0.15:
        words = [*words, rng.choice(ENVIRONMENTS)]
    elif decoration < 0.22:
        words = [rng.choice(ENVIRONMENTS), *words]
    elif decoration < 0.30:
        words = [*words, rng.choice(("1", "2", "3", "01", "02", "v2"))]
    elif decoration < 0.36:
        words = [*words, rng.choice(SUFFIXES)]
    elif decoration < 0.40 and words[-1] in ("token", "password", "secret", "key"):
        words = [*words[:-1], words[-1] + "s"]
    return words


def foreign_name(rng: random.Random) -> tuple[str, str, str]:
    """A language, its word for a password as an identifier writes it, and as prose writes it."""
    language = rng.choice(list(FOREIGN_NAMES))
    at = rng.choice((0, 2))
    return language, FOREIGN_NAMES[language][at], FOREIGN_NAMES[language][at + 1]


def in_style(words: list[str], style: str, *, joined_number: bool = True) -> str:
    """Write the words as one identifier; a number joins the word before it unless told otherwise (`API_KEY2`)."""
    if joined_number and len(words) > 1 and words[-1].isdigit():
        words = [*words[:-2], words[-2] + words[-1]]
    if style == "upper":
        return "_".join(words).upper()
    if style == "lower":
        return "_".join(words)
    if style == "camel":
        return words[0] + "".join(word.capitalize() for word in words[1:])
    if style == "pascal":
        return "".join(word.capitalize() for word in words)
    return ("-" if style == "kebab" else ".").join(words)
