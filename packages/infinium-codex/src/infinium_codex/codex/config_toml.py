"""Edits a feature flag in Codex's config.toml, for versions of Codex that cannot do it themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


class ConfigTomlError(Exception):
    """config.toml cannot be read or edited. The text says where, and what to do."""


def feature_flag(path: Path, name: str) -> bool | None:
    """Return the value of `features.<name>` in the file; None if it is not set."""
    features = _read(path).get("features")
    value = features.get(name) if isinstance(features, dict) else None
    return value if isinstance(value, bool) else None


def with_feature(path: Path, name: str) -> str:
    """Return the file's text with `features.<name> = true`. Every other byte stays."""
    import tomlkit

    document = _read(path)
    features = document.setdefault("features", tomlkit.table())
    if not isinstance(features, dict):
        raise ConfigTomlError(f"features in {path} is not a table. Correct it: Codex cannot read it either.")
    value = tomlkit.boolean("true")
    if "\r\n" in document.as_string():
        value.trivia.trail = "\r\n"
    features[name] = value
    return document.as_string()


def _read(path: Path) -> TOMLDocument:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    if not path.exists():
        return tomlkit.document()
    try:
        return tomlkit.parse(path.read_bytes())
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ConfigTomlError(f"{path} is not valid TOML: {error}. Correct it: Codex cannot read it either.") from None
