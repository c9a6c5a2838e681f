"""Read and write `.infinium/config.json`, in a project and in the user's home directory."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from infinium_config.errors import ProjectFileError
from infinium_config.files import read_small_file, write_atomically
from infinium_config.model import ProjectFile, UserFile
from infinium_config.ownership import find_link
from infinium_config.parse import check_directories, parse_safe_directories
from infinium_config.settings import DECLARED, Declared

_PROJECT_KEYS = {declared.name: declared for declared in DECLARED if declared.in_file}
_USER_KEYS = {declared.name: declared for declared in DECLARED if declared.in_user_file}
_MAX_SHOWN = 60


def read_project_file(path: Path) -> ProjectFile:
    """Read a project file. Raises ProjectFileError, which names the file, the key and what to do."""
    return _project_file(path, _read(path))


def parse_project_file(path: Path, content: bytes) -> ProjectFile:
    """Parse the content that a project file had. Raises ProjectFileError as `read_project_file` does."""
    return _project_file(path, _parse(path, content))


def _project_file(path: Path, record: Mapping[str, object]) -> ProjectFile:
    extra = {key: value for key, value in record.items() if key not in _PROJECT_KEYS}
    return ProjectFile(**_values(path, record, _PROJECT_KEYS.values()), extra=extra)


def read_user_file(path: Path) -> UserFile | None:
    """Read the user's own file; None if it does not exist. Raises ProjectFileError."""
    if not os.path.lexists(path):
        return None
    # Links are followed: users link such files to a directory of dot files.
    return UserFile(path=path, **_values(path, _read(path.resolve()), _USER_KEYS.values()))


def write_project_file(path: Path, file: ProjectFile) -> bool:
    """Write a project file atomically, with mode 0600. False if it already has this content.

    A link at `path` is replaced. A linked directory is refused: the file would be written elsewhere. Raises
    ProjectFileError.
    """
    if find_link(path.parent.parent) == path.parent:
        raise ProjectFileError(
            f"{path} cannot be written: {path.parent} is a link that leads to {os.path.realpath(path.parent)}. "
            "Replace the link by a directory, or remove it."
        )
    record = {key: value for key in _PROJECT_KEYS if (value := getattr(file, key)) is not None}
    content = _encode({**record, **file.extra})
    if read_small_file(path) == content:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise ProjectFileError(
            f"{path} cannot be written: {error.strerror or error}. Check the owner of the directory."
        ) from None
    return True


def write_user_setting(path: Path, name: str, value: object) -> None:
    """Write one setting to the user's own file, or remove it with None. Everything else in the file stays.

    Raises ProjectFileError.
    """
    target = path.resolve()  # users link such files to a directory of dot files
    record = _read(target) if os.path.lexists(target) else {}
    changed = {key: kept for key, kept in record.items() if key != name}
    if value is not None:
        changed[name] = value
    _values(path, changed, _USER_KEYS.values())
    content = _encode(changed)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, content)
    except OSError as error:
        raise ProjectFileError(
            f"{path} cannot be written: {error.strerror or error}. Check the owner of the directory."
        ) from None


def _read(path: Path) -> dict[str, object]:
    raw = read_small_file(path)
    if raw is None:
        raise ProjectFileError(
            f"{path} cannot be read: it must be a regular file of at most 1 MiB. Run init again, or remove it."
        )
    return _parse(path, raw)


def _parse(path: Path, content: bytes) -> dict[str, object]:
    try:
        record = _decode(content)
    except (ValueError, RecursionError) as error:
        raise ProjectFileError(
            f"{path} is not valid JSON ({error}). Correct it, or remove it and run init again."
        ) from None
    if not isinstance(record, dict):
        raise ProjectFileError(f"{path} must hold a JSON object. Correct it, or remove it and run init again.")
    return record


def _decode(content: bytes) -> object:
    try:
        return msgspec.json.decode(content)
    except ValueError:
        import json  # reads more, and names the line of an error; most processes only read a valid file

        return json.loads(content)


def _encode(record: Mapping[str, object]) -> bytes:
    import json

    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "surrogatepass")


def _values(path: Path, record: Mapping[str, object], keys: Iterable[Declared]) -> dict[str, Any]:
    """The settings that a file holds. An absent, null or empty value is not set."""
    return {
        declared.name: _value(path, declared, record[declared.name])
        for declared in keys
        if record.get(declared.name) not in (None, "")
    }


def _value(path: Path, declared: Declared, value: object) -> object:
    """Check one JSON value. The type of the setting's default says which JSON type it must have."""
    where = f"{path}: {declared.name}"
    match declared.default:
        case bool():
            if not isinstance(value, bool):
                raise ProjectFileError(f"{where} must be true or false, not {_shown(value)}.")
            return value
        case tuple():
            return _strings(where, declared, value)
        case _:
            return _text(where, declared, value)


def _strings(where: str, declared: Declared, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ProjectFileError(f"{where} must be a list of strings, not {_shown(value)}.")
    try:
        return check_directories(value) if declared.parse is parse_safe_directories else tuple(value)
    except ValueError as error:
        raise ProjectFileError(f"{where}: {error}.") from None


def _text(where: str, declared: Declared, value: object) -> object:
    if not isinstance(value, str):
        raise ProjectFileError(f"{where} must be a string, not {_shown(value)}.")
    try:
        return declared.parse(value)
    except ValueError as error:
        raise ProjectFileError(f"{where} is {_shown(value)}: {error}.") from None


def _shown(value: object) -> str:
    import json

    text = json.dumps(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
