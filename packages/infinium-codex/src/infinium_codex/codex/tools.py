"""What Codex's tool calls and their outputs say, in the words each version uses."""

import re
from collections.abc import Mapping

from infinium_trace.events import ChangeKind, FileChange
from msgspec import Struct

from infinium_codex.support.json_fields import integer, mapping, milliseconds, parse_object, text

SHELL = "shell"
_AGENTS = "multi_agent_v1"
"""The namespace of the tools for subagents: hooks put it right before the tool's name."""
_SHELL_NAMES = frozenset({"Bash", "exec_command", "shell_command", "shell", "local_shell", "container.exec"})

# The head a shell tool's output has, in any order of lines, before "Output:" (0.114 to 0.169).
_EXIT_CODE = re.compile(r"^(?:Exit code: |Process exited with code )(-?\d{1,12})$", re.MULTILINE)
_WALL_TIME = re.compile(r"^Wall time: ([\d.]+) seconds?$", re.MULTILINE)
_RUNNING = re.compile(r"^Process running with session ID (\d{1,18})$", re.MULTILINE)
_HEAD_LIMIT = 2_000

UNIFIED_EXEC_HEAD_MS = 150.0
"""What Codex's own measure of an `exec_command` leaves out at its start (`sleep 0.5` took 0.352 to 0.354 s by it on
0.118 to 0.169): added back, and the fold never lets a call take longer than from its start to its end."""

_FAILED = re.compile(
    r"^(?:unsupported (?:custom tool )?call: |failed to parse function arguments|\w+(?: verification)? failed: "
    r"|invalid agent id |Script (?:failed|error)|Full-history forked agents )"
)
"""How an output begins that tells the model why its call came to nothing."""
_ABORTED = re.compile(r"^(?:Wall time: ([\d.]+) seconds?\n)?aborted by user(?: after ([\d.]+)s)?$")
_REFUSED = re.compile(r"^(?:exec command rejected by user|rejected by user|patch rejected by user)")
_SCRIPT = re.compile(r"^Script (completed|failed|error)[^\n]*\nWall time:? ([\d.]+) seconds?\nOutput:\n+")


class ToolResult(Struct, frozen=True, kw_only=True):
    """What the text of a tool's output says about the call."""

    output: str
    exit_code: int | None = None
    duration_ms: float | None = None
    process: str | None = None
    """Codex's number for a command that runs on in the background."""
    error: str | None = None
    refused: bool = False
    aborted: bool = False


def tool_name(name: str, namespace: str | None = None) -> str:
    """One name for a tool that hook and transcript name differently: `mcp__server__tool`, the others' plain one."""
    if namespace is not None and namespace.startswith("mcp__"):
        return f"{namespace}__{name}"
    if name.startswith(_AGENTS):
        name = name.removeprefix(_AGENTS)
    return SHELL if name in _SHELL_NAMES else name


def tool_arguments(name: str, raw: object) -> Mapping[str, object] | str | None:
    """A call's arguments, parsed where they are JSON; a shell command always under `command`."""
    if isinstance(raw, str):
        parsed = parse_object(raw)
        if parsed is None:
            return raw or None
        raw = parsed
    if not isinstance(raw, dict):
        return None
    arguments: dict[str, object] = dict(raw)
    if name in _SHELL_NAMES and "command" not in arguments and "cmd" in arguments:
        arguments["command"] = arguments.pop("cmd")
    if name == "apply_patch":
        patch = text(arguments, "input") or text(arguments, "command") or text(arguments, "patch")
        return patch or arguments
    return arguments


def given_more(tool: str, arguments: Mapping[str, object] | str | None) -> str | None:
    """The subagent a call gives more to do; the call's output names the agent's own turn, its `submission_id`."""
    if tool != "send_input" or not isinstance(arguments, Mapping):
        return None
    return text(arguments, "target") or text(arguments, "id")


def read_output(raw: object, *, bare: bool = False) -> ToolResult:
    """Read a `*_output` record's text, or a hook's `tool_response`; `bare` output has no head to read."""
    output = output_text(raw)
    if bare:
        return ToolResult(output=output)
    wrapped = parse_object(output) if output.startswith("{") else None
    if wrapped is not None and "metadata" in wrapped:  # apply_patch up to 0.124
        metadata = mapping(wrapped, "metadata")
        return ToolResult(
            output=text(wrapped, "output") or "",
            exit_code=integer(metadata, "exit_code"),
            duration_ms=milliseconds(metadata.get("duration_seconds")),
        )
    head, marker, body = output[:_HEAD_LIMIT].partition("Output:\n")
    if marker:
        exit_code, wall, running = _EXIT_CODE.search(head), _WALL_TIME.search(head), _RUNNING.search(head)
        if exit_code or wall or running:
            return ToolResult(
                output=_items_text(body + output[_HEAD_LIMIT:]),
                exit_code=int(exit_code[1]) if exit_code else None,
                duration_ms=_wall_ms(wall[1], head) if wall else None,
                process=running[1] if running else None,
            )
    return _told_in_words(output)


def _items_text(body: str) -> str:
    """An MCP tool's content items are told as JSON up to 0.150."""
    if not body.startswith('[{"'):
        return body
    wrapped = parse_object(f'{{"content": {body}}}')
    return (_join(wrapped["content"]) or body) if wrapped else body


def _told_in_words(output: str) -> ToolResult:
    if script := _SCRIPT.match(output):
        rest = output[script.end() :]
        error = None if script[1] == "completed" else rest or output
        return ToolResult(output=rest, duration_ms=milliseconds(script[2]), error=error)
    if aborted := _ABORTED.match(output):
        return ToolResult(
            output="", duration_ms=milliseconds(aborted[1] or aborted[2]), error="aborted by user", aborted=True
        )
    if _REFUSED.match(output):
        return ToolResult(output=output, error=output, refused=True)
    return ToolResult(output=output, error=output if _FAILED.match(output) else None)


def output_text(raw: object) -> str:
    """The text of a tool's output, whatever it is wrapped in; an image is told as one."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, dict):
        return text(raw, "content") or text(raw, "output") or _join(raw.get("content"))
    return _join(raw)


def _join(items: object) -> str:
    if not isinstance(items, list):
        return ""
    shown = (
        text(item, "text") or _IMAGES.get(text(item, "type") or "", "") for item in items if isinstance(item, dict)
    )
    return "\n".join(filter(None, shown))


_IMAGES = {"input_image": "[image]", "image": "[image]", "input_audio": "[audio]", "audio": "[audio]"}


def _wall_ms(seconds: str, head: str) -> float | None:
    wall = milliseconds(seconds)
    if wall is None:
        return None
    return wall + UNIFIED_EXEC_HEAD_MS if "Chunk ID: " in head else wall


def patch_changes(patch: str) -> tuple[FileChange, ...]:
    """The files a patch in Codex's format names, with the lines it adds and removes."""
    changes: list[FileChange] = []
    path: str | None = None
    kind = ChangeKind.MODIFIED
    moved_to: str | None = None
    added = removed = 0

    def close() -> None:
        if path is not None:
            counted = kind is not ChangeKind.DELETED
            changes.append(
                FileChange(
                    path=path,
                    kind=kind,
                    moved_to=moved_to,
                    lines_added=added if counted else None,
                    lines_removed=removed if counted else None,
                )
            )

    for line in patch.splitlines():
        header = next((h for h in _HEADERS if line.startswith(h)), None)
        if header:
            close()
            path, kind, moved_to, added, removed = line[len(header) :].strip(), _HEADERS[header], None, 0, 0
        elif line.startswith("*** Move to: "):
            moved_to, kind = line[13:].strip(), ChangeKind.MOVED
        elif line.startswith("+"):
            added += 1
        elif line.startswith("-"):
            removed += 1
    close()
    return tuple(changes)


_HEADERS = {
    "*** Add File: ": ChangeKind.ADDED,
    "*** Update File: ": ChangeKind.MODIFIED,
    "*** Delete File: ": ChangeKind.DELETED,
}
_CHANGE_TYPES = {"add": ChangeKind.ADDED, "update": ChangeKind.MODIFIED, "delete": ChangeKind.DELETED}


def recorded_changes(changes: Mapping[str, object]) -> tuple[FileChange, ...]:
    """The `changes` of `FileChange` items and of `patch_apply_end`: a path with what happened to it."""
    found = []
    for path, value in changes.items():
        change = value if isinstance(value, dict) else {}
        word = text(change, "type")
        inner: Mapping[str, object] = change
        if word is None and len(change) == 1:  # older: {"add": {"content": …}}
            word = next(iter(change))
            inner = mapping(change, word)
        kind = _CHANGE_TYPES.get(word or "", ChangeKind.MODIFIED)
        moved_to = text(inner, "move_path")
        added, removed = _counted(kind, inner)
        found.append(
            FileChange(
                path=path,
                kind=ChangeKind.MOVED if moved_to else kind,
                moved_to=moved_to,
                lines_added=added,
                lines_removed=removed,
            )
        )
    return tuple(found)


def _counted(kind: ChangeKind, change: Mapping[str, object]) -> tuple[int | None, int | None]:
    content, diff = text(change, "content"), text(change, "unified_diff")
    if content is not None:
        lines = len(content.splitlines())
        return (lines, 0) if kind is ChangeKind.ADDED else (0, lines)
    if diff is None:
        return None, None
    lines_of_diff = [line for line in diff.splitlines() if not line.startswith(("+++", "---"))]
    return sum(line.startswith("+") for line in lines_of_diff), sum(line.startswith("-") for line in lines_of_diff)
