"""Keep `.infinium/` out of the user's commits, where the user wants that."""

from pathlib import Path


def is_ignored(root: Path) -> bool:
    """Whether `.gitignore` has it already."""
    return any(line.strip().rstrip("/") in (".infinium", "/.infinium") for line in _text(root).splitlines())


def ignore(root: Path) -> str:
    """Add it, at the end; say what was done."""
    if is_ignored(root):
        return ".infinium/ stands in .gitignore"
    text = _text(root)
    ending = "\r\n" if "\r\n" in text else "\n"
    with (root / ".gitignore").open("a", encoding="utf-8", newline="") as file:
        file.write(("" if not text or text.endswith("\n") else ending) + f".infinium/{ending}")
    return ".infinium/ added to .gitignore"


def _text(root: Path) -> str:
    path = root / ".gitignore"
    return path.read_bytes().decode("utf-8", "replace") if path.exists() else ""
