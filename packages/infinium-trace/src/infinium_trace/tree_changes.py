"""What a turn changed in its checkout, as a version control system reports it, beside the patches of its tools."""

from collections.abc import Iterable

from msgspec import Struct

from infinium_trace._format import relative_path
from infinium_trace.events import FileChange
from infinium_trace.session import Turn


class Commit(Struct, frozen=True, kw_only=True):
    """A commit that was made during a turn."""

    commit: str
    subject: str


class TreeChanges(Struct, frozen=True, kw_only=True):
    """The differences between the work tree before and after a turn."""

    files: tuple[FileChange, ...] = ()
    diff: str = ""
    """Unified diff of the files, or the agent's own patches; empty if it is not known or too long."""
    changed_at_ms: int = 0
    """When the last of the files changed, in UTC epoch milliseconds; 0 without files."""
    commits: tuple[Commit, ...] = ()
    """Commits made during the turn, newest first."""
    is_dirty: bool | None = None
    """Whether the work tree differs from the last commit now."""


def patches_of(turn: Turn, cwd: str | None, shown: int) -> TreeChanges | None:
    """Return the patches of a turn whose checkout was not read, as the agent wrote them.

    None if each patch has at most `shown` characters: then the steps show them whole.
    """
    patches = [call.arguments for call in turn.tool_calls if call.changes and isinstance(call.arguments, str)]
    if not any(len(patch) > shown for patch in patches):
        return None
    return TreeChanges(files=merged_changes(turn.changes, None, cwd), diff="\n".join(patches))


def merged_changes(patches: Iterable[FileChange], tree: TreeChanges | None, cwd: str | None) -> tuple[FileChange, ...]:
    """Return each changed file once: as the work tree has it, else as the patches of the tools report it.

    A patch may also change a file outside of the checkout or one that is ignored.
    """
    found = {relative_path(change.moved_to or change.path, cwd): change for change in patches}
    for change in tree.files if tree is not None else ():
        if change.moved_to:
            found.pop(relative_path(change.path, cwd), None)
        found[relative_path(change.moved_to or change.path, cwd)] = change
    return tuple(found.values())
