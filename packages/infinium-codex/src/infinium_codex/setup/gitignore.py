"""Adds `.infinium/` to the project's `.gitignore`."""

from pathlib import Path

from infinium_codex.support.project_files import read_text


def is_ignored(root: Path) -> bool:
    """Whether `.gitignore` has an entry for `.infinium`."""
    return any(line.strip().rstrip("/") in (".infinium", "/.infinium") for line in _read(root).splitlines())


def ignore(root: Path) -> str:
    """Append the entry where it is missing, with the file's own line ending; returns what was done.

    Raises CommandError for a `.gitignore` that is not a file of the project.
    """
    if is_ignored(root):
        return ".infinium/ is already in .gitignore"
    text = _read(root)
    ending = "\r\n" if "\r\n" in text else "\n"
    with (root / ".gitignore").open("a", encoding="utf-8", newline="") as file:
        file.write(("" if not text or text.endswith("\n") else ending) + f".infinium/{ending}")
    return ".infinium/ added to .gitignore"


def _read(root: Path) -> str:
    return read_text(root / ".gitignore", root) or ""
