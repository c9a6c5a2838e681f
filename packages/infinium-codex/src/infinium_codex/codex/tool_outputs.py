"""Reads the output of Codex's tool calls: the text itself, exit code, duration and failure (0.114 to 0.169)."""

import re

from infinium_trace.lazy_pattern import lazy_pattern
from msgspec import Struct

from infinium_codex.support.json_fields import integer, mapping, milliseconds, parse_object, text

UNMEASURED_START_MS = 150.0
"""Codex's own duration of an `exec_command` leaves out its first 150 ms (`sleep 0.5` took 0.352 to 0.354 s on 0.118 to
0.169). They are added back; the fold limits a call's duration to the time between its start and its end."""

# A shell tool's output begins with these lines, in any order, before "Output:".
_EXIT_CODE = lazy_pattern(r"^(?:Exit code: |Process exited with code )(-?\d{1,12})$", re.MULTILINE)
_WALL_TIME = lazy_pattern(r"^Wall time: ([\d.]+) seconds?$", re.MULTILINE)
_RUNNING = lazy_pattern(r"^Process running with session ID (\d{1,18})$", re.MULTILINE)
_HEADER_LIMIT = 2_000

_FAILED = lazy_pattern(
    r"^(?:unsupported (?:custom tool )?call: |failed to parse function arguments|\w+(?: verification)? failed: "
    r"|invalid agent id |Script (?:failed|error)|Full-history forked agents )"
)
"""The start of an output that explains to the model why its call failed."""
_ABORTED = lazy_pattern(r"^(?:Wall time: ([\d.]+) seconds?\n)?aborted by user(?: after ([\d.]+)s)?$")
_REFUSED = lazy_pattern(
    r"(?:exec command |patch )?rejected by user"
    r"|exec_command failed(?: for `[\s\S]{0,20000}?`)?: CreateProcess \{ message: \"Rejected\("
    r"|approval policy is \w+; reject command"
)
"""The start of an output of a call that the user, a review in the user's place or the approval policy refused."""
_SCRIPT = lazy_pattern(r"^Script (completed|failed|error)[^\n]*\nWall time:? ([\d.]+) seconds?\nOutput:\n+")
_PLACEHOLDERS = {"input_image": "[image]", "image": "[image]", "input_audio": "[audio]", "audio": "[audio]"}


class ToolResult(Struct, frozen=True, kw_only=True):
    """What a tool's output says about the call."""

    output: str
    exit_code: int | None = None
    duration_ms: float | None = None
    process: str | None = None
    """Codex's number for a command that continues in the background."""
    error: str | None = None
    refused: bool = False
    aborted: bool = False


def read_output(raw: object, *, bare: bool = False) -> ToolResult:
    """Read the output of a `*_output` record or a hook's `tool_response`. `bare` output has no header to read."""
    output = output_text(raw)
    if bare:
        return ToolResult(output=output)
    return _read_json_output(output) or _read_header(output) or _read_message(output)


def output_text(raw: object) -> str:
    """Return an output's text, whatever it is wrapped in. An image becomes `[image]`."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, dict):
        return text(raw, "content") or text(raw, "output") or _join_items(raw.get("content"))
    return _join_items(raw)


def _read_json_output(output: str) -> ToolResult | None:
    """Read the JSON output that apply_patch has up to 0.124."""
    wrapped = parse_object(output) if output.startswith("{") else None
    if wrapped is None or "metadata" not in wrapped:
        return None
    metadata = mapping(wrapped, "metadata")
    return ToolResult(
        output=text(wrapped, "output") or "",
        exit_code=integer(metadata, "exit_code"),
        duration_ms=milliseconds(metadata.get("duration_seconds")),
    )


def _read_header(output: str) -> ToolResult | None:
    """Read an output whose header has an exit code, a duration or the number of a running process."""
    header, marker, body = output[:_HEADER_LIMIT].partition("Output:\n")
    if not marker:
        return None
    exit_code, wall, running = _EXIT_CODE.search(header), _WALL_TIME.search(header), _RUNNING.search(header)
    if not (exit_code or wall or running):
        return None
    return ToolResult(
        output=_unwrap_items(body + output[_HEADER_LIMIT:]),
        exit_code=int(exit_code[1]) if exit_code else None,
        duration_ms=_wall_ms(wall[1], header) if wall else None,
        process=running[1] if running else None,
    )


def _read_message(output: str) -> ToolResult:
    """Read an output without a header: a script's result, an abort, a refusal, a failure or plain text."""
    if script := _SCRIPT.match(output):
        rest = output[script.end() :]
        error = None if script[1] == "completed" else rest or output
        return ToolResult(output=rest, duration_ms=milliseconds(script[2]), error=error)
    if aborted := _ABORTED.match(output):
        duration_ms = milliseconds(aborted[1] or aborted[2])
        return ToolResult(output="", duration_ms=duration_ms, error="aborted by user", aborted=True)
    if _REFUSED.match(output):
        return ToolResult(output=output, error=output, refused=True)
    return ToolResult(output=output, error=output if _FAILED.match(output) else None)


def _unwrap_items(body: str) -> str:
    """Return the text of an MCP tool's content items, which are JSON up to 0.150."""
    if not body.startswith('[{"'):
        return body
    wrapped = parse_object(f'{{"content": {body}}}')
    return (_join_items(wrapped["content"]) or body) if wrapped else body


def _join_items(items: object) -> str:
    if not isinstance(items, list):
        return ""
    texts = (
        text(item, "text") or _PLACEHOLDERS.get(text(item, "type") or "", "")
        for item in items
        if isinstance(item, dict)
    )
    return "\n".join(filter(None, texts))


def _wall_ms(seconds: str, header: str) -> float | None:
    wall = milliseconds(seconds)
    if wall is None:
        return None
    return wall + UNMEASURED_START_MS if "Chunk ID: " in header else wall
