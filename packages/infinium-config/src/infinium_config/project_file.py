"""Read and write `.infinium/config.json`: a project's, and the user's own in the home directory."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infinium_config import parse
from infinium_config.errors import ProjectFileError
from infinium_config.files import read_small_file, write_atomically
from infinium_config.model import ProjectFile, UserFile

_KEYS = ("agent_id", "base_url", "paused", "flush_on_stop", "flush_on_session_end", "redaction", "redact_patterns")
_USERS_KEYS = ("redaction", "redact_patterns", "redact_allow")
_LISTS = ("redact_patterns", "redact_allow")
_TEXTS: dict[str, Callable[[str], str]] = {
    "agent_id": parse.parse_agent_id,
    "base_url": parse.parse_base_url,
    "redaction": parse.parse_redaction,
}


def read_project_file(path: Path) -> ProjectFile:
    """What the file says. Raises ProjectFileError naming the file, the key and what to do."""
    record = _read(path)
    extra = {key: value for key, value in record.items() if key not in _KEYS}
    return ProjectFile(**_values(path, record, _KEYS), extra=extra)


def read_user_file(path: Path) -> UserFile | None:
    """What the user's own file says; None where there is none. Raises ProjectFileError as for a project's."""
    if not os.path.lexists(path):
        return None
    # Resolved: a link of the user's own (into a directory of dot files) is no trap.
    return UserFile(path=path, **_values(path, _read(path.resolve()), _USERS_KEYS))


def _read(path: Path) -> dict[str, object]:
    raw = read_small_file(path)
    if raw is None:
        raise ProjectFileError(
            f"{path} cannot be read: it must be a file of at most 1 MiB. Run init again, or remove it."
        )
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ProjectFileError(f"{path} is not JSON ({error}). Mend it, or remove it and run init again.") from None
    if not isinstance(record, dict):
        raise ProjectFileError(f"{path} must hold a JSON object. Mend it, or remove it and run init again.")
    return record


def _values(path: Path, record: Mapping[str, object], keys: Sequence[str]) -> dict[str, Any]:
    return {key: _value(path, key, record[key]) for key in keys if record.get(key) not in (None, "")}


def _value(path: Path, key: str, value: object) -> Any:
    if key in _LISTS:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ProjectFileError(f"{path}: {key} must be a list of texts, not {_shown(value)}.")
        try:
            return parse.check_patterns(value)
        except ValueError as error:
            raise ProjectFileError(f"{path}: {key}: {error}.") from None
    if key not in _TEXTS:
        if not isinstance(value, bool):
            raise ProjectFileError(f"{path}: {key} must be true or false, not {_shown(value)}.")
        return value
    if not isinstance(value, str):
        raise ProjectFileError(f"{path}: {key} must be a text, not {_shown(value)}.")
    try:
        return _TEXTS[key](value)
    except ValueError as error:
        raise ProjectFileError(f"{path}: {key} is {_shown(value)}: {error}.") from None


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def write_project_file(path: Path, file: ProjectFile) -> bool:
    """Write the file, 0600, whole or not at all; False when it already holds just these bytes."""
    record = {key: value for key in _KEYS if (value := getattr(file, key)) is not None}
    body = (json.dumps({**record, **file.extra}, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")
    if read_small_file(path) == body:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, body)
    except OSError as error:
        raise ProjectFileError(
            f"{path} cannot be written: {error.strerror or error}. Check who owns the directory."
        ) from None
    return True
