"""Splits the diff of a turn by file. It reads unified diffs and the patches that an agent writes for apply_patch."""

import re
from collections.abc import Iterator

from msgspec import Struct

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_PATCH_FILE = re.compile(r"\*\*\* (?:Add|Update|Delete) File: (.+)")
_META = (
    "index ",
    "old mode ",
    "new mode ",
    "new file mode ",
    "deleted file mode ",
    "similarity index ",
    "rename from ",
)


class DiffLine(Struct, frozen=True):
    """A line of a diff. `sign` is "+", "-", " " or "@" (a hunk's head)."""

    sign: str
    text: str


class FileDiff(Struct, kw_only=True):
    """The changed lines of one file, in the order of the diff."""

    path: str
    lines: list[DiffLine]

    @property
    def added(self) -> int:
        return sum(line.sign == "+" for line in self.lines)

    @property
    def removed(self) -> int:
        return sum(line.sign == "-" for line in self.lines)


def split_diff(diff: str) -> list[FileDiff]:
    """Return the parts of a diff, each file once. Text before the first file is ignored."""
    found: dict[str, FileDiff] = {}
    for path, line in _signed_lines(diff):
        part = found.setdefault(path, FileDiff(path=path, lines=[]))
        if line is not None:
            part.lines.append(line)
    return list(found.values())


def _signed_lines(diff: str) -> Iterator[tuple[str, DiffLine | None]]:
    """Yield each line with the path of its file; None announces a file."""
    path: str | None = None
    old = new = 0
    """Lines of the current hunk of a unified diff that are still to come."""
    in_patch = False
    before = ""
    for line in diff.split("\n"):
        if path is not None and (old > 0 or new > 0):
            sign = line[:1] or " "
            if sign != "\\":
                old -= sign in "- "
                new -= sign in "+ "
                yield path, DiffLine(sign if sign in "+- " else " ", line[1:])
        elif (match := _PATCH_FILE.match(line)) is not None:
            path, in_patch = match[1].strip(), True
            yield path, None
        elif line.startswith("*** "):
            in_patch = in_patch and line != "*** End Patch"
        elif in_patch and path is not None:
            if line.startswith("@@"):
                yield path, DiffLine("@", line[2:].strip())
            elif line[:1] in ("+", "-", " "):
                yield path, DiffLine(line[0], line[1:])
        elif line.startswith("diff --git "):
            path = _path_of_header(line)
            yield path, None
        elif line.startswith("--- "):
            before = line
        elif line.startswith("+++ "):
            path = _path_of_sides(before, line)
            yield path, None
        elif path is not None and (hunk := _HUNK.match(line)) is not None:
            old, new = int(hunk[2] or 1), int(hunk[4] or 1)
            yield path, DiffLine("@", line)
        elif path is not None and line and not line.startswith(_META):
            yield path, DiffLine("@", line)


def _path_of_sides(before: str, after: str) -> str:
    """Return the path of the lines `--- a/PATH` and `+++ b/PATH`, of which one may be /dev/null."""
    names = (line[4:].split("\t")[0] for line in (after, before))
    return next((re.sub(r"^[ab]/", "", name) for name in names if name and name != "/dev/null"), "?")


def _path_of_header(line: str) -> str:
    """Return the new path of a line `diff --git a/PATH b/PATH`."""
    _, _, new = line.rpartition(" b/")
    return new.strip('"') or line
