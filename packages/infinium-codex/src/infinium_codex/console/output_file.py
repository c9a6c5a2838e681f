"""Writes the file that a command was asked for."""

from pathlib import Path

from infinium_config.files import write_atomically

from infinium_codex.support.result import CommandError


def write_output(cwd: Path, name: str, content: bytes) -> Path:
    """Write a file that only its user can read, and return its path. Raises CommandError."""
    path = (cwd / Path(name).expanduser()).absolute()
    if path.is_dir():
        raise CommandError(f"{path} is a directory.", "Name a file with --output.")
    if not path.parent.is_dir():
        raise CommandError(f"{path.parent} is not a directory.", "Create it, or name another file with --output.")
    write_atomically(path, content)
    return path
