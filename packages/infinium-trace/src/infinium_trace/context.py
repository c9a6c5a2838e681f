"""Facts about a session that no event reports."""

from msgspec import Struct

from infinium_trace.tree_changes import TreeChanges


class HeadMove(Struct, frozen=True, kw_only=True):
    """A move of HEAD from one commit to another, read from the checkout's reflog."""

    at_ms: int
    """UTC epoch milliseconds. The reflog has a resolution of one second."""
    before: str | None
    """None for the first commit of a repository."""
    after: str


class TraceContext(Struct, frozen=True, kw_only=True):
    """The session's id, machine and checkout."""

    session_id: str
    runtime: str | None = None
    """The interpreter that built the trace, such as "CPython 3.12.1"."""
    os: str | None = None
    project_name: str | None = None
    git_branch: str | None = None
    """The branch that is checked out now; None for a detached HEAD."""
    git_commit: str | None = None
    """The commit of HEAD now."""
    git_moves: tuple[HeadMove, ...] = ()
    """Earlier moves of HEAD, oldest first; empty if unknown."""
    changes: TreeChanges | None = None
    """What the turn changed in the checkout; None if unknown, and for a whole session."""
    acceptance: str | None = None
    """The project's own acceptance criteria, as its users wrote them."""
    acceptance_file: str = "acceptance.md"
    """Name of the file that they were read from."""

    def commit_at(self, ms: int) -> str | None:
        """Return the commit of HEAD at a time (UTC epoch milliseconds); None if the moves do not say."""
        for move in reversed(self.git_moves):
            if move.at_ms <= ms:
                return move.after
        return self.git_moves[0].before if self.git_moves else None
