"""Secrets in commands, requests, URLs, connection strings, SQL and prose."""

import base64
import random

from case import Case, templates
from file_syntaxes import fill
from provider_tokens import json_web_token, private_key, provider_token, token_in_context
from secret_names import foreign_name, secret_name
from secret_values import secret_value
from word_lists import FOREIGN_PROSE_WITH_SECRET, PEOPLE, PLAIN, SERVICES


def command(rng: random.Random) -> Case:
    """A secret among a command's arguments."""
    value = secret_value(rng)
    template = rng.choice(templates("commands.txt"))
    return Case(
        text=fill(rng, template, value, secret_name(rng)) + "\n",
        secret=value,
        topic="cli " + template.split()[0],
        suffix=".sh",
    )


def sql(rng: random.Random) -> Case:
    """A secret in a statement."""
    value = secret_value(rng)
    return Case(
        text=fill(rng, rng.choice(templates("sql.txt")), value, secret_name(rng)) + "\n",
        secret=value,
        topic="sql",
        suffix=".sql",
    )


def header(rng: random.Random) -> Case:
    """A secret in a header of a request or an answer."""
    return _with_basic(rng, rng.choice(templates("headers.txt")), "header", secret_value(rng, url=True, machine=True))


def credential_file(rng: random.Random) -> Case:
    """A secret in a file or string with a format of its own."""
    topic, _, template = rng.choice(templates("credential_files.txt")).partition("\t")
    return _with_basic(rng, template, topic, secret_value(rng, url=topic == "git-credentials"))


def url(rng: random.Random) -> Case:
    """A secret in a URL, as a password or in its query."""
    value = secret_value(rng, url=True)
    text = fill(rng, rng.choice(templates("urls.txt")), value, secret_name(rng))
    return Case(text=text + "\n", secret=value, topic="url", suffix=".txt")


def provider(rng: random.Random) -> Case:
    """A provider's token where no word says that it is one."""
    name, token = provider_token(rng)
    return Case(
        text=token_in_context(rng, token, rng.choice(PLAIN)) + "\n",
        secret=_secret_part(name, token),
        topic=f"token {name}",
        suffix=".txt",
    )


def _secret_part(provider: str, token: str) -> str:
    """The part of a token that is secret: a Telegram bot's number is public."""
    return token.rpartition(":")[2] if provider == "telegram bot" else token


def key_or_web_token(rng: random.Random) -> Case:
    """A private key or a JSON web token."""
    if rng.random() < 0.5:
        token = json_web_token(rng)
        return Case(
            text=token_in_context(rng, token, rng.choice(PLAIN)) + "\n", secret=token, topic="jwt", suffix=".txt"
        )
    text, part = private_key(rng)
    return Case(text=text + "\n", secret=part, topic="private key", suffix=".pem")


def prose(rng: random.Random) -> Case:
    """A sentence that gives a password away, in English or another language."""
    if rng.random() < 0.4:
        value = secret_value(rng, machine=rng.random() < 0.5)
        name = rng.choice(
            ("password", "passphrase", "API key", "access token", "secret", "client secret", "admin password")
        )
        template = rng.choice(templates("prose.txt"))
    else:
        value = secret_value(rng, machine=rng.random() < 0.5)
        language = rng.choice(list(FOREIGN_PROSE_WITH_SECRET))
        template = FOREIGN_PROSE_WITH_SECRET[language]
        name = foreign_of(rng, language)
    text = template.format(name=name, value=value, service=rng.choice(SERVICES), person=rng.choice(PEOPLE))
    return Case(text=text + "\n", secret=value, topic="prose", suffix=".txt")


def foreign_assigned(rng: random.Random) -> Case:
    """A password assigned to its name in another language."""
    _, name, _ = foreign_name(rng)
    value = secret_value(rng)
    templates = (
        "{n}: {v}",
        "{n} = '{v}'",
        '"{n}": "{v}"',
        "{n}={v}",
        "{n}：{v}",
        "<{n}>{v}</{n}>",
        "db_{n}={v}",
        "{N}={v}",
    )
    text = rng.choice(templates).format(n=name, N=name.upper(), v=value)
    return Case(text=text + "\n", secret=value, topic="foreign", suffix=".txt")


def foreign_of(rng: random.Random, language: str) -> str:
    """The language's word for a password, as prose writes it."""
    while True:
        found, _, name = foreign_name(rng)
        if found == language:
            return name


def _with_basic(rng: random.Random, template: str, topic: str, value: str) -> Case:
    user = rng.choice(PEOPLE)
    basic = base64.b64encode(f"{user}:{value}".encode()).decode()
    text = fill(rng, template.replace("{basic}", basic), value, secret_name(rng))
    return Case(text=text + "\n", secret=basic if "{basic}" in template else value, topic=topic, suffix=".txt")
