"""Names and arguments of Codex's tools, the same whichever version and source reports a call.

To add a tool: if it has several names, add them to `_SHARED_NAMES`; if its arguments need work, add a function to
`_ARGUMENT_READERS`; if later records refer to its calls, add a function to `CALL_NOTES` in `transcript/calls.py`. A
tool that needs none of these is traced under its own name with its arguments as they are.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from infinium_codex.codex.shell_commands import readable_command
from infinium_codex.support.json_fields import parse_object, text

Arguments = Mapping[str, object] | str | None
"""A call's arguments: parsed, or the text if it is free text."""

SHELL = "shell"
APPLY_PATCH = "apply_patch"
WEB_SEARCH = "web_search"
TOOL_SEARCH = "tool_search"
"""Finds tools that Codex does not offer at once."""
WRITE_STDIN = "write_stdin"
"""Sends input to a command in the background, or asks for its output."""
CODE_MODE = "exec"
"""Runs a program that makes further tool calls."""
SEND_INPUT = "send_input"
"""Sends more work to a subagent."""
SPAWN_AGENT = "spawn_agent"

_AGENT_NAMESPACE = "multi_agent_v1"
"""The namespace of the tools for subagents. Hooks put it directly before the tool's name."""
_SHELL_NAMES = ("Bash", "exec_command", "shell_command", "shell", "local_shell", "container.exec")
_NO_OPTIONS: Mapping[str, object] = {}
_COMMAND_KEYS = ("command", "cmd")
_SHARED_NAMES: Mapping[str, str] = dict.fromkeys(_SHELL_NAMES, SHELL)


def tool_name(name: str, namespace: str | None = None) -> str:
    """Return a tool's one name, where hooks and transcripts use several. An MCP tool is `mcp__server__tool`."""
    if namespace is not None and namespace.startswith("mcp__"):
        return f"{namespace}__{name}"
    if name.startswith(_AGENT_NAMESPACE):
        name = name.removeprefix(_AGENT_NAMESPACE)
    return _SHARED_NAMES.get(name, name)


class CallArguments(NamedTuple):
    """The arguments of a call."""

    arguments: Arguments
    """What the call does."""
    options: Mapping[str, object]
    """How it is to run: its directory, limits and sandbox. Only shell tools have options."""


def call_arguments(name: str, raw: object) -> CallArguments:
    """Return a call's arguments, parsed if they are JSON. `name` is the tool's name as the source has it."""
    if isinstance(raw, str):
        parsed = parse_object(raw)
        if parsed is None:
            return CallArguments(raw or None, _NO_OPTIONS)
        raw = parsed
    if not isinstance(raw, dict):
        return CallArguments(None, _NO_OPTIONS)
    read = _ARGUMENT_READERS.get(name)
    return read(raw) if read is not None else CallArguments(dict(raw), _NO_OPTIONS)


def tool_arguments(name: str, raw: object) -> Arguments:
    """Return a call's arguments without its options."""
    return call_arguments(name, raw).arguments


def followup_target(tool: str, arguments: Arguments) -> str | None:
    """Return the id of the subagent that a call sends more work to, or None if it does not."""
    if tool != SEND_INPUT or not isinstance(arguments, Mapping):
        return None
    return text(arguments, "target") or text(arguments, "id")


def _shell_arguments(raw: Mapping[str, object]) -> CallArguments:
    """Return the command alone, as a person would type it; all arguments if there is no command."""
    command = next((readable_command(raw[key]) for key in _COMMAND_KEYS if key in raw), None)
    if command is None:
        return CallArguments(dict(raw), _NO_OPTIONS)
    options = {key: value for key, value in raw.items() if key not in _COMMAND_KEYS and value is not None}
    return CallArguments({"command": command}, options)


def _patch_text(raw: Mapping[str, object]) -> CallArguments:
    """Return the patch itself."""
    patch = text(raw, "input") or text(raw, "command") or text(raw, "patch")
    return CallArguments(patch or dict(raw), _NO_OPTIONS)


_ARGUMENT_READERS: Mapping[str, Callable[[Mapping[str, object]], CallArguments]] = {
    **dict.fromkeys(_SHELL_NAMES, _shell_arguments),
    APPLY_PATCH: _patch_text,
}
"""Functions for tools whose arguments differ between versions or sources."""
