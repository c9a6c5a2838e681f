"""Sums up the turns of a payload, one at a time: a long session is never in memory as a whole."""

from collections.abc import Mapping, Sequence

from infinium_trace._bounded import BoundedText
from infinium_trace._format import count, relative_path
from infinium_trace._renderer import Renderer
from infinium_trace._run_totals import RunTotals
from infinium_trace._time_split import TimeSplit, split_time
from infinium_trace._tokens import TokenTotals
from infinium_trace.events import EventSource
from infinium_trace.fit import MAX_BODY_BYTES
from infinium_trace.options import TraceOptions
from infinium_trace.rubric import Rubric
from infinium_trace.session import Session, Turn
from infinium_trace.tree_changes import TreeChanges, merged_changes

_MAX_FILE_BYTES = MAX_BODY_BYTES // 2
_MAX_DISAGREEMENTS = 100


class Totals:
    """Sums and lists over the turns so far."""

    def __init__(self, options: TraceOptions, renderer: Renderer, *, of_session: bool) -> None:
        """Begin with nothing. In the totals `of_session`, the work of undone turns is left out."""
        self._prices, self._renderer, self._of_session = options.prices, renderer, of_session
        self.turns = 0
        self.undone = 0
        """Number of turns that the user undid."""
        self.last_turn: Turn | None = None
        self.started_at_ms: int | None = None
        self.ended_at_ms = 0
        self.duration_ms = 0.0
        self.time: TimeSplit | None = None
        """How the turns spent their time; None if no record says."""
        self.prompts = BoundedText("\n\n", options.max_input_summary)
        self.last_messages = BoundedText("\n\n", options.max_output_summary)
        self.models: dict[str, None] = {}
        self.statuses: dict[str, None] = {}
        self.tools: dict[str, None] = {}
        self.continuations = 0
        self.lines_added = self.lines_removed = 0
        """Lines of the changed files, as far as they are known."""
        self.tests = RunTotals()
        self.rubric = Rubric(options.max_input_summary)
        self.sources: frozenset[EventSource] = frozenset()
        self.tokens = TokenTotals()
        self._files: dict[str, None] = {}
        self._file_bytes = 0
        self._disagreements: list[str] = []
        self._unlisted_changes = 0
        self._unlisted_disagreements = 0
        self._skipped: dict[str, int] = {}

    def add(self, session: Session, turns: Sequence[Turn], trees: Mapping[str, TreeChanges]) -> list[str | None]:
        """Add more turns, with the session as it was read with them. Return each turn's last test run in words.

        `trees` has what turns changed in their checkouts, by the turns' ids.
        """
        test_runs: list[str | None] = []
        self.sources |= session.sources
        for kind, number in session.skipped.items():
            self._skipped[kind] = self._skipped.get(kind, 0) + number
        for turn in turns:
            self.turns += 1
            self.last_turn = turn
            self._add_times(turn)
            self._add_changes(turn, trees.get(turn.id), turn.cwd or session.cwd)
            self.undone += turn.undone
            if turn.undone and self._of_session:
                test_runs.append(None)
                continue
            self._add_texts(turn)
            self._add_work(turn)
            test_runs.append(self.tests.add(turn))
        self.tokens.add([call for turn in turns for call in turn.calls], session.provider, self._prices)
        return test_runs

    def _add_times(self, turn: Turn) -> None:
        started = turn.started_at_ms if self.started_at_ms is None else min(self.started_at_ms, turn.started_at_ms)
        self.started_at_ms = started
        self.ended_at_ms = max(self.ended_at_ms, turn.ended_at_ms or turn.started_at_ms)
        self.duration_ms += turn.duration_ms or 0.0
        split = split_time(turn)
        if split is not None:
            self.time = split if self.time is None else self.time + split

    def _add_texts(self, turn: Turn) -> None:
        for value, texts in ((turn.prompt, self.prompts), (turn.last_message, self.last_messages)):
            if text := self._renderer.text(value):
                texts.add(text)
        self.rubric.add_request(self._renderer.text(turn.prompt))

    def _add_changes(self, turn: Turn, tree: TreeChanges | None, cwd: str | None) -> None:
        """Add what an undone turn has, too: its models, and its files, which undoing does not revert."""
        self.models |= dict.fromkeys(turn.models)
        for change in merged_changes(turn.changes, tree, cwd):
            self._add_file(relative_path(change.moved_to or change.path, cwd))
            self.lines_added += change.lines_added or 0
            self.lines_removed += change.lines_removed or 0
        if tree is not None:
            self.tests.add_change(tree.changed_at_ms)
        for disagreement in turn.disagreements:
            self._add_disagreement(disagreement)

    def _add_work(self, turn: Turn) -> None:
        self.statuses.setdefault(turn.status.value)
        self.continuations += turn.continuations
        self.tools |= dict.fromkeys(call.tool for call in turn.tool_calls)

    def _add_file(self, path: str) -> None:
        if path in self._files:
            return
        if self._file_bytes > _MAX_FILE_BYTES:
            self._unlisted_changes += 1
            return
        self._files[path] = None
        self._file_bytes += len(path)

    def _add_disagreement(self, disagreement: str) -> None:
        if len(self._disagreements) < _MAX_DISAGREEMENTS:
            self._disagreements.append(disagreement)
        else:
            self._unlisted_disagreements += 1

    @property
    def files(self) -> list[str]:
        """Paths of the changed files, relative to the directory of their turn or of the session."""
        return sorted(self._files)

    @property
    def warnings(self) -> list[str]:
        """What limits the accuracy of the trace."""
        found = [f"The sources disagree on {what}." for what in self._disagreements]
        if self._unlisted_disagreements:
            found.append(f"{count(self._unlisted_disagreements, 'disagreement')} of the sources not listed.")
        if self._unlisted_changes:
            found.append(f"{count(self._unlisted_changes, 'file change')} not listed.")
        found += [f"{count(number, 'record')} skipped: {kind}" for kind, number in sorted(self._skipped.items())]
        if self.undone and self._of_session:
            found.append(
                f"{count(self.undone, 'turn')} undone by the user: not counted, except for files and tokens,"
                " which undoing does not revert."
            )
        if EventSource.TRANSCRIPT not in self.sources:
            found.append("No transcript: tokens, exit codes and exact durations are not known.")
        return found
