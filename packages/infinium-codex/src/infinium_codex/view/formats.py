"""Formats figures for people: durations, tokens, money, lines, paths."""

from infinium_trace.events import FileChange, TokenUsage

_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000


def duration(ms: float | None) -> str:
    """Return a duration in at most two units: `850 ms`, `4.2 s`, `3 m 05 s`, `2 h 10 m`; empty if it is unknown."""
    if ms is None:
        return ""
    if ms < 1_000:
        return f"{ms:.0f} ms"
    if ms < _MINUTE_MS:
        return f"{ms / 1_000:.1f} s"
    if ms < _HOUR_MS:
        minutes, seconds = divmod(round(ms / 1_000), 60)
        return f"{minutes} m {seconds:02} s"
    hours, minutes = divmod(round(ms / _MINUTE_MS), 60)
    return f"{hours:,} h {minutes:02} m"


def tokens(number: int) -> str:
    """Return a number of tokens with three digits at most: `950`, `12.3k`, `1.20M`."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if number >= size:
            value = number / size
            return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}{unit}"
    return str(number)


def usage_in_words(usage: TokenUsage, calls: int) -> str:
    """Return the tokens of model calls in words."""
    return (
        f"{usage.prompt:,} prompt ({usage.cached:,} cached), {usage.completion:,} completion "
        f"({usage.reasoning:,} reasoning), {calls:,} model call{'' if calls == 1 else 's'}"
    )


def money(usd: float | None) -> str:
    """Return an amount in US dollars; empty if it is unknown. Small amounts keep two significant digits."""
    if usd is None:
        return ""
    if usd == 0 or usd >= 1:
        return f"${usd:,.2f}"
    return f"${usd:.3f}" if usd >= 0.01 else f"${usd:.5f}"


def lines_changed(added: int | None, removed: int | None) -> str:
    """Return lines added and removed: `+12 -3`."""
    return f"+{added or 0:,} -{removed or 0:,}"


def path_of(change: FileChange) -> str:
    """Return the path of a changed file, and where it was moved to."""
    return f"{change.path} → {change.moved_to}" if change.moved_to else change.path


def head_and_tail(text: str, lines: int) -> tuple[list[str], int, list[str]]:
    """Return the first lines of a text, the number of lines left out, and the last lines; in all about `lines`."""
    all_lines = text.strip("\n").split("\n")
    if len(all_lines) <= lines + 1:
        return all_lines, 0, []
    tail = lines // 2
    head = lines - tail
    return all_lines[:head], len(all_lines) - head - tail, all_lines[len(all_lines) - tail :]
