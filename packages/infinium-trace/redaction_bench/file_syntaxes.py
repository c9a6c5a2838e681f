"""Assignments of a secret to a name, in the syntaxes of files and programs."""

import random

from case import TEMPLATES, Case, templates
from secret_names import in_style, secret_name
from secret_values import secret_value
from word_lists import DOMAINS, PEOPLE, PLAIN

# Each file holds the templates of one syntax. {upper}, {lower}, {camel}, {pascal}, {kebab} and {dotted} are the name in
# that style, {value} is the secret; {word}, {user}, {host} and {port} are neighbours that are none.
_SYNTAXES = tuple(sorted(path.name for path in (TEMPLATES / "files").iterdir()))

_CONTEXT_LINES = {
    "sh": ("set -euo pipefail", "cd /srv/app", "echo done"),
    "env": ("LOG_LEVEL=info", "PORT=8080", "NODE_ENV=production"),
    "yaml": ("# values", "replicas: 3", "image: nginx:1.27"),
    "py": ("import os", "print('ready')", "# settings"),
    "log": ("starting", "listening on port 8080", "ready in 41 ms"),
    "properties": ("server.port=8080", "logging.level=INFO", "# settings"),
}


def assigned(rng: random.Random) -> Case:
    """A name that means a secret and its value, in one of the syntaxes."""
    file = rng.choice(_SYNTAXES)
    syntax, suffix, _ = file.split(".")
    value = secret_value(rng)
    text = fill(rng, rng.choice(templates(f"files/{file}")), value, secret_name(rng))
    lines = _CONTEXT_LINES.get(suffix, ())
    if lines and rng.random() < 0.5:
        text = f"{rng.choice(lines)}\n{text}\n{rng.choice(lines)}"
    return Case(text=text + "\n", secret=value, topic=syntax, suffix="." + suffix)


def fill(rng: random.Random, template: str, value: str, words: list[str]) -> str:
    """The template with its name, its secret and their neighbours."""
    joined = rng.random() < 0.7
    styled = {
        style: in_style(words, style, joined_number=joined)
        for style in ("upper", "lower", "camel", "pascal", "kebab", "dotted")
    }
    return template.format(
        value=value,
        word=rng.choice(PLAIN),
        user=rng.choice(PEOPLE),
        host=rng.choice(DOMAINS),
        port=rng.randint(1024, 9999),
        **styled,
    )
