"""Handles records of what the model's side or Codex itself runs: web searches, tool searches, reviews of calls."""

from collections.abc import Iterator, Mapping

from infinium_trace.events import Event, PermissionReviewed, ToolFinished, ToolStarted

from infinium_codex.codex.event_fields import EventFields
from infinium_codex.codex.shell_commands import readable_command
from infinium_codex.codex.tools import APPLY_PATCH, SHELL, TOOL_SEARCH, WEB_SEARCH, tool_arguments
from infinium_codex.codex.transcript.position import Position
from infinium_codex.support.json_fields import mapping, text, texts

_REVIEW_ANSWERS = {"approved": True, "denied": False}
_REVIEWED_TOOLS = {"command": SHELL, "apply_patch": APPLY_PATCH}
"""Tools by the type of a reviewed action. Another type is the tool's name."""


def web_search_ended(position: Position, fields: EventFields, payload: Mapping[str, object]) -> Iterator[Event]:
    """Yield a web search from its `web_search_end`, which has an id and the query.

    It stands directly before the search's `web_search_call`, which has no id from 0.104 to 0.140.
    """
    call_id = text(payload, "call_id")
    if call_id is None:
        return
    action = mapping(payload, "action")
    position.open_searches = {**position.open_searches, call_id: _key(action)}
    query = text(payload, "query")
    arguments = dict(action) or ({"query": query} if query else None)
    yield ToolStarted(**fields, call_id=call_id, tool=WEB_SEARCH, arguments=arguments)
    yield ToolFinished(**fields, call_id=call_id)


def web_search_called(position: Position, fields: EventFields, payload: Mapping[str, object]) -> Iterator[Event]:
    """Yield a web search from its call. The model's side runs it, so the transcript has no output of it."""
    call_id = text(payload, "id") or position.take_search(_key(mapping(payload, "action")))
    arguments = tool_arguments(WEB_SEARCH, payload.get("action"))
    yield ToolStarted(**fields, call_id=call_id, tool=WEB_SEARCH, arguments=arguments)
    yield ToolFinished(**fields, call_id=call_id, failed=text(payload, "status") == "failed" or None)


def tool_search_called(
    position: Position,  # noqa: ARG001 - a RecordHandler
    fields: EventFields,
    payload: Mapping[str, object],
) -> Iterator[Event]:
    """Yield the model's search for tools that are not offered at once."""
    arguments = tool_arguments(TOOL_SEARCH, payload.get("arguments"))
    yield ToolStarted(**fields, call_id=_search_id(payload), tool=TOOL_SEARCH, arguments=arguments)


def tool_search_answered(
    position: Position,  # noqa: ARG001 - a RecordHandler
    fields: EventFields,
    payload: Mapping[str, object],
) -> Iterator[Event]:
    """Yield the names of the tools that a search found."""
    found = payload.get("tools")
    tools = found if isinstance(found, list) else []
    names = [name for tool in tools if isinstance(tool, dict) for name in _tool_names(tool)]
    failed = text(payload, "status") == "failed" or None
    output = ", ".join(names) or "No tools found."
    yield ToolFinished(**fields, call_id=_search_id(payload), output=output, failed=failed)


def call_reviewed(
    position: Position,  # noqa: ARG001 - a RecordHandler
    fields: EventFields,
    payload: Mapping[str, object],
) -> Iterator[Event]:
    """Yield the state of an automatic review that stands in for the user's permission (`guardian_assessment`)."""
    action = mapping(payload, "action")
    kind = text(action, "type") or "unknown"
    status = text(payload, "status") or "in_progress"
    command = readable_command(action.get("command"))
    files = texts(action, "files")
    yield PermissionReviewed(
        **fields,
        review_id=text(payload, "id") or text(payload, "target_item_id") or "unidentified",
        call_id=text(payload, "target_item_id"),
        tool=_REVIEWED_TOOLS.get(kind, kind),
        arguments={"command": command} if command else {"files": files} if files else None,
        finished=status != "in_progress",
        granted=_REVIEW_ANSWERS.get(status),
        risk=text(payload, "risk_level"),
        reason=text(payload, "rationale"),
    )


def _key(action: Mapping[str, object]) -> str:
    import json  # few turns search the web

    return json.dumps(action, sort_keys=True)


def _search_id(payload: Mapping[str, object]) -> str:
    return text(payload, "call_id") or text(payload, "id") or "tool-search"


def _tool_names(tool: Mapping[str, object]) -> Iterator[str]:
    name, inner = text(tool, "name"), tool.get("tools")
    if isinstance(inner, list):
        names = (text(one, "name") for one in inner if isinstance(one, dict))
        yield from (f"{name}.{one}" if name else one for one in names if one)
    elif name:
        yield name
