"""How much of each text the page shows. A page with more steps shows less of each, so that it stays below a size."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.view.model import Outcome, SessionView, StepView, TurnView

ONE_LINE = 120
"""Messages that may have only as many characters are shown on one line."""
MAX_BYTES = 2 * 1024 * 1024
"""Size of the whole page."""


class Detail(Struct, frozen=True, kw_only=True):
    """Limits of texts, in characters."""

    title: int = 240
    message: int
    output: int
    failed_output: int
    diff: int
    """Of one file."""
    colours: bool = True
    timeline: bool = False
    """Whether the timeline of a turn is unfolded at first."""
    figures: bool = True
    """Whether each step says when it began and what it cost."""
    lanes: bool = True
    """Whether each turn has a timeline."""
    conditions: bool = True
    """Whether each turn lists its delivery, settings and redactions."""
    files: int = 200
    """Changed files of a turn that are listed."""

    def output_of(self, step: StepView) -> int:
        """Return the limit for a step's input and output."""
        return self.failed_output if step.outcome is not Outcome.OK else self.output


_PLAIN = Detail(message=3_000, output=400, failed_output=1_500, diff=3_000, colours=False)
_ROWS = Detail(
    title=60, message=300, output=0, failed_output=0, diff=0, colours=False, figures=False, conditions=False, files=50
)
LEVELS = (
    Detail(message=40_000, output=12_000, failed_output=16_000, diff=40_000, timeline=True),
    Detail(message=20_000, output=4_000, failed_output=8_000, diff=12_000),
    Detail(message=8_000, output=1_200, failed_output=4_000, diff=6_000),
    _PLAIN,
    replace(_PLAIN, title=120, message=1_200, output=120, failed_output=600, diff=1_200, files=100),
    replace(_PLAIN, title=90, message=600, output=0, failed_output=300, diff=600, figures=False, files=100),
    _ROWS,
    replace(_ROWS, message=ONE_LINE, lanes=False, files=20),
    replace(_ROWS, message=50, title=30, lanes=False, files=0),
)
"""From the most to the least that a page shows."""


def first_level(sessions: Sequence[SessionView]) -> int:
    """Return the number of the first level whose page may be small enough, by a low estimate."""
    turns = [turn for session in sessions for turn in session.turns]
    for number, detail in enumerate(LEVELS):
        if sum(_least_bytes(turn, detail) for turn in turns) <= MAX_BYTES:
            return number
    return len(LEVELS) - 1


def in_words(detail: Detail) -> str | None:
    """Say what the page leaves out; None if that is little."""
    if detail is LEVELS[0]:
        return None
    if detail is LEVELS[-1]:
        return "Outputs and long texts are left out: this page has very many steps. A report of one request shows more."
    size = f"to keep this page below {MAX_BYTES // 1024 // 1024} MiB"
    if detail.output == 0:
        failed = (
            f", those of failed steps are cut to {detail.failed_output:,} characters" if detail.failed_output else ""
        )
        return f"Outputs are left out{failed}, {size}. A report of one request shows more."
    return f"Outputs are cut to {detail.output:,} characters, {size}. A report of one request shows more."


def _least_bytes(turn: TurnView, detail: Detail) -> int:
    size = 700 + (2_000 if detail.lanes else 0) + min(len(turn.request), detail.message)
    size += min(len(turn.diff), detail.diff * len(turn.files))
    for step in turn.walk():
        size += 60 + min(len(step.title), detail.title)
        for text in (step.input or "", step.output or ""):
            size += min(len(text), detail.output_of(step))
    return size
