"""Renders a trace payload as text for a terminal."""

from collections.abc import Iterator, Mapping

from infinium_codex.console.formatting import local_time
from infinium_codex.support.json_fields import epoch_ms, mapping, text

_BESIDE_DESCRIPTION = 42
"""Columns of a step that are not its description: number, tool, duration and exit code."""
_LONGEST_DESCRIPTION = 100
_SHOWN_TAGS = ("session", "turn", "git_branch", "sources")


def view_trace(payload: Mapping[str, object], width: int) -> tuple[str, ...]:
    """The lines for one trace: title, steps, files, tokens, errors, answer and tags, for `width` columns."""
    return tuple(_lines(payload, width))


def _lines(payload: Mapping[str, object], width: int) -> Iterator[str]:
    sections = mapping(payload, "sections")
    tags = mapping(mapping(payload, "environment"), "custom_tags")
    yield from _title(payload, tags)
    yield ""
    steps = _objects(payload.get("steps"))
    longest = max((len(_one_line(_description(step))) for step in steps), default=0)
    room = min(longest, max(width - _BESIDE_DESCRIPTION, 20), _LONGEST_DESCRIPTION)
    for step in steps:
        yield from _step(step, room)
    if files := mapping(sections, "development").get("files_modified"):
        yield ""
        names = files if isinstance(files, list) else [files]
        yield f"Files    {', '.join(_one_line(str(name)) for name in names)}"
    yield from _tokens(mapping(payload, "llm_usage"), tags)
    for error in _objects(payload.get("errors")):
        yield f"Error    {_cut(text(error, 'message') or '', 2 * width)}"
    for warning in _texts(mapping(sections, "general").get("warnings")):
        yield f"Note     {_one_line(warning)}"
    if answer := text(payload, "output_summary"):
        yield f"Answer   {_cut(answer, 2 * width)}"
    shown = (f"{name} {_one_line(value)}" for name in _SHOWN_TAGS if (value := text(tags, name)))
    yield f"Tags     {', '.join(shown)}"


def _title(payload: Mapping[str, object], tags: Mapping[str, object]) -> Iterator[str]:
    environment = mapping(payload, "environment")
    yield _one_line(text(payload, "name") or "Trace")
    yield f"  {_one_line(text(payload, 'description') or '')}"
    agent = " ".join(filter(None, (text(environment, "framework"), text(environment, "framework_version"))))
    ended = epoch_ms(payload.get("current_datetime"))
    until = local_time(ended / 1000) if ended is not None else "?"
    models = text(tags, "models")
    yield f"  {_seconds(payload.get('duration'))} until {until}, {_one_line(', '.join(filter(None, (agent, models))))}"


def _tokens(usage: Mapping[str, object], tags: Mapping[str, object]) -> Iterator[str]:
    if "prompt_tokens" not in usage:
        return
    cached, reasoning = text(tags, "cached_tokens"), text(tags, "reasoning_tokens")
    yield (
        f"Tokens   {usage['prompt_tokens']:,} prompt ({_thousands(cached)} cached), "
        f"{usage.get('completion_tokens', 0):,} completion ({_thousands(reasoning)} reasoning), "
        f"{usage.get('api_calls_count', 0)} model calls"
    )


def _description(step: Mapping[str, object]) -> str:
    return text(step, "description") or text(step, "output_preview") or ""


def _step(step: Mapping[str, object], room: int) -> Iterator[str]:
    """A step's line, with `room` columns for its description, and a line for each file it changed."""
    metadata = mapping(step, "metadata")
    call = mapping(step, "tool_call")
    name = _one_line(text(call, "tool_name") or text(step, "action") or "")
    duration = step.get("duration_ms")
    took = f"{duration:,.0f} ms" if isinstance(duration, int | float) else ""
    code = metadata.get("exit_code")
    ended = f"exit {code}" if code not in (None, 0) else "failed" if "error" in step else ""
    what = _cut(_description(step), room)
    yield f"  {step.get('step_number'):>3}  {name:<12} {what:<{room}}  {took:>10}  {ended}".rstrip()
    for change in _objects(metadata.get("files")):
        lines = f"+{change.get('lines_added', '?')} -{change.get('lines_removed', '?')}"
        path = _one_line(str(change.get("path")))
        yield f"       {'':<12} {change.get('kind')} {path} ({lines})"


def _objects(values: object) -> list[Mapping[str, object]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _texts(values: object) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _one_line(value: str) -> str:
    """The text on one line: a file's name with a line break must not look like another line of the report."""
    return " ".join(value.split())


def _cut(value: str, width: int) -> str:
    line = _one_line(value)
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _seconds(value: object) -> str:
    return f"{value:.3f} s" if isinstance(value, int | float) else "?"


def _thousands(value: str | None) -> str:
    return f"{int(value):,}" if value and value.isdigit() else "0"
