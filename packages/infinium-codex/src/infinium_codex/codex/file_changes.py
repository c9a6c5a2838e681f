"""The files that a patch changes, read from the patch itself or from Codex's record of applying it."""

from collections.abc import Iterator, Mapping

from infinium_trace.events import ChangeKind, FileChange

from infinium_codex.support.json_fields import mapping, text

_HEADERS = {
    "*** Add File: ": ChangeKind.ADDED,
    "*** Update File: ": ChangeKind.MODIFIED,
    "*** Delete File: ": ChangeKind.DELETED,
}
_MOVE = "*** Move to: "
_CHANGE_TYPES = {"add": ChangeKind.ADDED, "update": ChangeKind.MODIFIED, "delete": ChangeKind.DELETED}


def patch_changes(patch: str) -> tuple[FileChange, ...]:
    """Return the files that a patch in Codex's format names, with the lines it adds and removes."""
    return tuple(_patched_file(*section) for section in _sections(patch))


def recorded_changes(changes: Mapping[str, object]) -> tuple[FileChange, ...]:
    """Return the files in the `changes` of a `FileChange` item or a `patch_apply_end`: a change for each path."""
    return tuple(_recorded_file(path, change if isinstance(change, dict) else {}) for path, change in changes.items())


def _sections(patch: str) -> Iterator[tuple[str, ChangeKind, list[str]]]:
    """Yield path, kind and lines of each file in a patch. Lines before the first file belong to none."""
    section: tuple[str, ChangeKind, list[str]] | None = None
    for line in patch.splitlines():
        header = next((header for header in _HEADERS if line.startswith(header)), None)
        if header is not None:
            if section is not None:
                yield section
            section = line[len(header) :].strip(), _HEADERS[header], []
        elif section is not None:
            section[2].append(line)
    if section is not None:
        yield section


def _patched_file(path: str, kind: ChangeKind, lines: list[str]) -> FileChange:
    moves = [line.removeprefix(_MOVE).strip() for line in lines if line.startswith(_MOVE)]
    if moves:
        kind = ChangeKind.MOVED
    counted = kind is not ChangeKind.DELETED  # a patch does not list the lines of a file it deletes
    return FileChange(
        path=path,
        kind=kind,
        moved_to=moves[-1] if moves else None,
        lines_added=sum(line.startswith("+") for line in lines) if counted else None,
        lines_removed=sum(line.startswith("-") for line in lines) if counted else None,
    )


def _recorded_file(path: str, change: Mapping[str, object]) -> FileChange:
    change_type = text(change, "type")
    if change_type is None and len(change) == 1:  # older versions: {"add": {"content": …}}
        change_type = next(iter(change))
        change = mapping(change, change_type)
    kind = _CHANGE_TYPES.get(change_type or "", ChangeKind.MODIFIED)
    moved_to = text(change, "move_path")
    added, removed = _count_lines(kind, change)
    return FileChange(
        path=path,
        kind=ChangeKind.MOVED if moved_to else kind,
        moved_to=moved_to,
        lines_added=added,
        lines_removed=removed,
    )


def _count_lines(kind: ChangeKind, change: Mapping[str, object]) -> tuple[int | None, int | None]:
    """Return the lines added and removed; None where the record does not say."""
    content, diff = text(change, "content"), text(change, "unified_diff")
    if content is not None:
        lines = len(content.splitlines())
        return (lines, 0) if kind is ChangeKind.ADDED else (0, lines)
    if diff is None:
        return None, None
    lines_of_diff = [line for line in diff.splitlines() if not line.startswith(("+++", "---"))]
    return sum(line.startswith("+") for line in lines_of_diff), sum(line.startswith("-") for line in lines_of_diff)
