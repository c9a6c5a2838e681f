"""The one edit of Codex's config.toml we make ourselves: a feature flag, for versions that cannot make it."""

import re
import tomllib
from pathlib import Path

import tomli_w

_TABLE = re.compile(r"^[ \t]*\[[ \t]*features[ \t]*\][ \t]*(?:#.*)?$", re.MULTILINE)


class ConfigTomlError(Exception):
    """config.toml cannot be read; the text says where, and what to do."""


def feature_flag(path: Path, name: str) -> bool | None:
    """What the file says of a feature; None where it says nothing."""
    features = _load(path).get("features")
    value = features.get(name) if isinstance(features, dict) else None
    return value if isinstance(value, bool) else None


def with_feature(path: Path, name: str) -> str:
    """The file's text with the feature on. Every byte but the one line stays."""
    old = path.read_text("utf-8") if path.exists() else ""
    document = _load(path)
    features = document.get("features")
    if not old.strip():
        return tomli_w.dumps({"features": {name: True}})
    newline = "\r\n" if "\r\n" in old else "\n"
    if isinstance(features, dict) and name in features:
        line = re.compile(rf"^([ \t]*{re.escape(name)}[ \t]*=[ \t]*)false\b", re.MULTILINE)
        new = line.sub(r"\1true", old, count=1)
    elif table := _TABLE.search(old):
        new = f"{old[: table.end()]}{newline}{name} = true{old[table.end() :]}"
    elif features is None:
        new = f"{old.rstrip()}{newline}{newline}[features]{newline}{name} = true{newline}"
    else:
        new = old
    wanted = dict(features) if isinstance(features, dict) else {}
    if _parsed(new) != {**document, "features": {**wanted, name: True}}:
        raise ConfigTomlError(f"{path} holds its features in a way we do not edit. Add {name} = true to them by hand.")
    return new


def _load(path: Path) -> dict[str, object]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigTomlError(f"{path} cannot be read: {error}. Mend it first; Codex cannot read it either.") from None


def _parsed(text: str) -> dict[str, object] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
