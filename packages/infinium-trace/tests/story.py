"""Small sessions written by hand: hooks and transcript report the same work, milliseconds apart."""

import json
from collections.abc import Iterable
from typing import Any, TypedDict

from infinium_trace import (
    AssistantMessage,
    ChangeKind,
    Compacted,
    Event,
    EventSource,
    FileChange,
    ModelResponded,
    PermissionAsked,
    Session,
    SessionEnded,
    SessionStarted,
    SubagentEnded,
    SubagentStarted,
    TokenUsage,
    ToolFinished,
    ToolStarted,
    TraceContext,
    TraceOptions,
    Turn,
    TurnEnded,
    TurnStarted,
    TurnStatus,
    build_turn_trace,
)

START_MS = 1_790_000_000_000
"""2026-09-21T14:13:20Z; times of the stories are milliseconds after it."""
CWD = "/home/ada/shop"
MODEL = "gpt-6-codex"

FIRST = TokenUsage(prompt=4_200, completion=90, cached=3_000, reasoning=40)
SECOND = TokenUsage(prompt=4_400, completion=150, cached=4_100, reasoning=64)
THIRD = TokenUsage(prompt=4_700, completion=60, cached=4_350, reasoning=0)
SUBAGENT_USAGE = TokenUsage(prompt=1_000, completion=30, cached=200, reasoning=10)

PATCH = "*** Begin Patch\n*** Add File: src/cart.py\n+def total() -> int:\n+    return 0\n*** End Patch\n"

OPTIONS = TraceOptions(program="codex", version="2.0.0")
CONTEXT = TraceContext(
    session_id="5a3c1f6e-session",
    runtime="CPython 3.12.1",
    os="Linux",
    project_name="shop",
)


class EventFields(TypedDict):
    """Fields of every event: time, source, turn and subagent."""

    at_ms: int
    source: EventSource
    turn_id: str | None
    subagent_id: str | None


def hook(ms: int, turn: str | None = None, agent: str | None = None) -> EventFields:
    """Fields of a hook that ran `ms` after the start of the stories."""
    return EventFields(at_ms=START_MS + ms, source=EventSource.HOOK, turn_id=turn, subagent_id=agent)


def transcript(ms: int, turn: str | None = None, agent: str | None = None) -> EventFields:
    """Fields of a transcript record dated `ms` after the start of the stories."""
    return EventFields(at_ms=START_MS + ms, source=EventSource.TRANSCRIPT, turn_id=turn, subagent_id=agent)


def turn_payload(
    session: Session, turn: Turn, context: TraceContext = CONTEXT, options: TraceOptions = OPTIONS
) -> dict[str, Any]:
    """Return the parsed body of a turn's trace."""
    found = json.loads(build_turn_trace(session, turn, context, options).body)
    assert isinstance(found, dict)
    return found


def from_source(source: EventSource, events: Iterable[Event]) -> list[Event]:
    """Return the events of one source."""
    return [event for event in events if event.source is source]


def session_begins() -> list[Event]:
    """Both sources report a start in a git repository."""
    return [
        SessionStarted(**hook(0), cwd=CWD, model=MODEL, permission_mode="default"),
        SessionStarted(
            **transcript(-20),
            cwd=CWD,
            provider="openai",
            client_version="0.169.0",
            originator="codex_exec",
            git_branch="main",
            git_commit="1f0e2d3c",
        ),
    ]


def session_ends(ms: int = 60_000) -> list[Event]:
    """The user exits."""
    return [SessionEnded(**hook(ms), reason="exit")]


def working_turn(turn: str = "turn-1", ms: int = 100) -> list[Event]:
    """A failing test run (exit code 3), a patch that adds a file, two messages and three model calls."""
    command = {"command": "pytest -q"}
    added = FileChange(path=f"{CWD}/src/cart.py", kind=ChangeKind.ADDED, lines_added=2, lines_removed=0)
    named = FileChange(path="src/cart.py", kind=ChangeKind.ADDED, lines_added=2)
    return [
        TurnStarted(
            **hook(ms, turn), prompt="Add a cart\nwith a total.", cwd=CWD, model=MODEL, permission_mode="default"
        ),
        TurnStarted(**transcript(ms + 4, turn), cwd=CWD, model=MODEL, effort="medium"),
        TurnStarted(**transcript(ms + 5, turn), prompt="Add a cart\nwith a total."),
        ModelResponded(**transcript(ms + 900, turn), response_id=f"{turn}-r1", usage=FIRST, model=MODEL),
        ToolStarted(**transcript(ms + 905, turn), call_id=f"{turn}-call-1", tool="shell", arguments=command),
        ToolStarted(**hook(ms + 930, turn), call_id=f"{turn}-call-1", tool="shell", arguments=command),
        ToolFinished(
            **transcript(ms + 1_160, turn),
            call_id=f"{turn}-call-1",
            output="E   no module named cart\n1 failed",
            exit_code=3,
            duration_ms=230.417,
            cwd=CWD,
        ),
        ToolFinished(
            **hook(ms + 1_190, turn),
            call_id=f"{turn}-call-1",
            tool="shell",
            output="E   no module named cart\n1 failed\n",
            failed=False,
        ),
        AssistantMessage(**transcript(ms + 1_800, turn), text="There is no cart yet.", message_id=f"{turn}-m1"),
        ModelResponded(**transcript(ms + 1_810, turn), response_id=f"{turn}-r2", usage=SECOND, model=MODEL),
        ToolStarted(**transcript(ms + 1_812, turn), call_id=f"{turn}-call-2", tool="apply_patch", arguments=PATCH),
        ToolStarted(**hook(ms + 1_830, turn), call_id=f"{turn}-call-2", tool="apply_patch", arguments=PATCH),
        ToolFinished(**transcript(ms + 1_850, turn), call_id=f"{turn}-call-2", duration_ms=12.0, changes=[added]),
        ToolFinished(
            **hook(ms + 1_870, turn),
            call_id=f"{turn}-call-2",
            tool="apply_patch",
            output="Success. Updated the following files:\nA src/cart.py\n",
            exit_code=0,
            changes=[named],
        ),
        ModelResponded(**transcript(ms + 2_590, turn), response_id=f"{turn}-r3", usage=THIRD, model=MODEL),
        AssistantMessage(**transcript(ms + 2_600, turn), text="The cart is there.", message_id=f"{turn}-m2"),
        TurnEnded(**hook(ms + 2_640, turn), status=TurnStatus.COMPLETED, last_message="The cart is there."),
        TurnEnded(
            **transcript(ms + 2_611, turn),
            status=TurnStatus.COMPLETED,
            last_message="The cart is there.",
            duration_ms=2_507,
            first_token_ms=610,
        ),
    ]


def delegating_turn(turn: str = "turn-2", ms: int = 10_000) -> list[Event]:
    """A turn whose subagent has a prompt, a turn id, a shell command and a model call of its own."""
    own = f"{turn}-of-agent"
    look = {"command": "ls"}
    return [
        TurnStarted(**hook(ms, turn), prompt="Look around.", cwd=CWD, model=MODEL),
        SubagentStarted(**hook(ms + 500, turn, "agent-7"), agent_type="explorer"),
        TurnStarted(**hook(ms + 520, own, "agent-7"), prompt="List the files.", cwd=CWD),
        ToolStarted(**hook(ms + 700, own, "agent-7"), call_id="inner-1", tool="shell", arguments=look),
        ToolFinished(**hook(ms + 760, own, "agent-7"), call_id="inner-1", output="src\ntests\n"),
        ModelResponded(
            **transcript(ms + 900, own, "agent-7"), response_id="inner-r1", usage=SUBAGENT_USAGE, model="gpt-6-mini"
        ),
        TurnEnded(**hook(ms + 910, own, "agent-7"), status=TurnStatus.COMPLETED, last_message="Two directories."),
        SubagentEnded(**hook(ms + 920, turn, "agent-7"), agent_type="explorer", last_message="Two directories."),
        ModelResponded(**transcript(ms + 1_500, turn), response_id="outer-r1", usage=FIRST, model=MODEL),
        TurnEnded(**transcript(ms + 1_600, turn), status=TurnStatus.COMPLETED, last_message="A small shop."),
        TurnEnded(**hook(ms + 1_640, turn), status=TurnStatus.COMPLETED, last_message="A small shop."),
    ]


def asking_turn(turn: str = "turn-3", ms: int = 20_000) -> list[Event]:
    """A turn that requests permission to push. It is compacted once; both sources report the compaction."""
    push = {"command": "git push"}
    return [
        TurnStarted(**hook(ms, turn), prompt="Push it.", cwd=CWD, model=MODEL, permission_mode="default"),
        Compacted(**hook(ms + 100, turn), phase="started", trigger="auto"),
        Compacted(**transcript(ms + 450, turn), phase="finished"),
        Compacted(**hook(ms + 470, turn), phase="finished", trigger="auto"),
        ToolStarted(**hook(ms + 600, turn), call_id="push-1", tool="shell", arguments=push),
        PermissionAsked(**hook(ms + 610, turn), tool="shell", arguments=push),
        ToolFinished(**transcript(ms + 900, turn), call_id="push-1", output="done", exit_code=0, duration_ms=200.0),
        TurnEnded(**transcript(ms + 1_000, turn), status=TurnStatus.COMPLETED, last_message="Pushed.", duration_ms=995),
    ]


def interrupted_turn(turn: str = "turn-4", ms: int = 30_000) -> list[Event]:
    """The user stops a turn while its command runs."""
    return [
        TurnStarted(**hook(ms, turn), prompt="Count to a million.", cwd=CWD, model=MODEL),
        ToolStarted(**transcript(ms + 400, turn), call_id="count-1", tool="shell", arguments={"command": "seq 999999"}),
        AssistantMessage(**transcript(ms + 390, turn), text="Counting."),
        TurnEnded(**hook(ms + 1_020, turn), status=TurnStatus.INTERRUPTED, reason="interrupted"),
        TurnEnded(**transcript(ms + 1_000, turn), status=TurnStatus.INTERRUPTED, reason="interrupted", duration_ms=998),
    ]


def whole_session() -> list[Event]:
    """All four turns, from start to end."""
    turns = [*working_turn(), *delegating_turn(), *asking_turn(), *interrupted_turn()]
    return [*session_begins(), *turns, *session_ends()]
