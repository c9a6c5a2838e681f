"""The scenarios: replies of the scripted model, and the user's part with the real Codex."""

import base64
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from codex_terminal import CodexTerminal
from infinium_codex.demo.scripted_model import (
    Break,
    Call,
    Fail,
    Item,
    Patch,
    Program,
    Reply,
    Say,
    Shell,
    Told,
    Usage,
)
from machine import wait_for
from sandbox import Sandbox

CALCULATOR = Path(__file__).with_name("mcp_calculator.py")
PATCH = "*** Begin Patch\n*** Add File: notes.txt\n+first\n+second\n*** End Patch\n"
PROMPT = "Try the build, then leave a note."


@dataclass(frozen=True, slots=True)
class Scenario:
    """A script for the model, and how a user plays it."""

    replies: Callable[[], list[Reply]]
    play: Callable[[Sandbox], object]
    config: Callable[[Sandbox], str] | None = None
    """Lines to append to Codex's config.toml."""
    root_config: str = ""
    """Lines for the beginning of Codex's config.toml."""
    goes_on_once: bool = False
    """The user has a Stop hook that continues the turn once."""
    everywhere: bool = False
    """Record it on every version. Others are recorded on the newest, or on versions named on the command line."""


def usage(number: int) -> Usage:
    """A token usage that differs from that of every other response."""
    return Usage(
        input_tokens=1_000 * number + 7, cached_tokens=100 * number, output_tokens=10 * number, reasoning_tokens=number
    )


TITLES = [Reply([Say('{"title": "A title"}')], usage(99), to="task title", aside=True)] * 9
"""From 0.160 on (seen on 0.169) the terminal UI asks for a title in a session of its own that no hook sees."""


def failing_command_patch_message() -> list[Reply]:
    """A command that ends with exit code 3, a patch that adds a file, and a message."""
    return [
        Reply([Shell("echo building; exit 3")], Usage(input_tokens=1_000, output_tokens=50, reasoning_tokens=10)),
        Reply([Patch(PATCH)], Usage(input_tokens=1_200, cached_tokens=900, output_tokens=80, reasoning_tokens=20)),
        Reply(
            [Say("The build fails; a note is left.")], Usage(input_tokens=1_400, cached_tokens=1_100, output_tokens=30)
        ),
    ]


def one_message(text: str = "Done.") -> list[Reply]:
    """A turn without any tool."""
    return [Reply([Say(text)], Usage(input_tokens=500, output_tokens=5))]


def model_fails() -> list[Reply]:
    """A command, then the model's server fails."""
    return [Reply([Shell("echo one")], usage(1)), Reply([Fail(500)], usage(2))]


def stream_breaks() -> list[Reply]:
    """The stream ends in the middle of an answer."""
    return [Reply([Shell("echo one")], usage(1)), Reply([Say("Half an ans"), Break()], usage(2))]


def slow_model() -> list[Reply]:
    """Responses and a command that take long enough to tell their durations apart."""
    return [Reply([Shell("sleep 0.3")], usage(1), wait=0.8), Reply([Say("At last.")], usage(2), wait=0.5)]


def goes_on() -> list[Reply]:
    """A message, and after the Stop hook another one."""
    return [Reply([Say("Done.")], usage(1)), Reply([Say("Goodbye.")], usage(2))]


TASK = "Count the files for me."
AGENT = Told(r'"agent_id":"([^"]+)"')
V1 = "multi_agent_v1"


def subagent(namespace: str | None, wait: str, **how: object) -> list[Reply]:
    """A subagent with a command of its own, waited for."""
    return [
        Reply([Call("spawn_agent", {"message": TASK, **how}, namespace)], usage(1)),
        Reply([Call(wait, {"targets": [AGENT], "ids": [AGENT], "timeout_ms": 20_000}, namespace)], usage(2)),
        Reply([Say("The agent counted.")], usage(3)),
        Reply([Shell("ls | wc -l")], usage(4), to=TASK),
        Reply([Say("None.")], usage(5), to=TASK),
    ]


def subagent_left() -> list[Reply]:
    """A subagent that is still at work when its turn, and with it `codex exec`, ends."""
    return [
        Reply([Call("spawn_agent", {"message": TASK, "agent_type": "explorer"}, V1)], usage(1)),
        Reply([Say("The agent is on it.")], usage(2), wait=0.5),
        Reply([Shell("sleep 30")], usage(4), to=TASK),
        Reply([Say("Seven.")], usage(5), to=TASK),
    ]


def subagent_resumed() -> list[Reply]:
    """A subagent, waited for; then the answer to a prompt in the subagent's own thread."""
    spawn, wait, last, *of_subagent = subagent(V1, "wait_agent", agent_type="explorer")
    return [spawn, wait, last, Reply([Say("Files.")], usage(6)), *of_subagent]


def polled_command() -> list[Reply]:
    """A background command that is polled twice and ends with exit code 4."""
    command = {"cmd": "echo started; sleep 1; echo ended; exit 4", "yield_time_ms": 250}
    poll = {"session_id": SESSION, "chars": ""}
    return [
        Reply([Call("exec_command", command)], usage(1)),
        Reply([Call("write_stdin", {**poll, "yield_time_ms": 250})], usage(2)),
        Reply([Call("write_stdin", {**poll, "yield_time_ms": 5_000})], usage(3)),
        Reply([Say("It ended.")], usage(4)),
    ]


def command_left_running() -> list[Reply]:
    """A command still in the background when the turn ends."""
    command = {"cmd": "echo serving; sleep 30", "yield_time_ms": 250}
    return [Reply([Call("exec_command", command)], usage(1)), Reply([Say("It is up.")], usage(2))]


SESSION = Told(r"session ID (\d+)")

FOUR_CHANGES = """\
*** Begin Patch
*** Update File: old.txt
@@
-one
+ONE
+one and a half
 two
*** Delete File: gone.txt
*** Update File: here.txt
*** Move to: there/moved.txt
@@
-a
+b
*** Add File: new.txt
+fresh
*** End Patch
"""
HOPELESS = "*** Begin Patch\n*** Update File: old.txt\n@@\n-no such line\n+x\n*** End Patch\n"


def four_changes() -> list[Reply]:
    """A patch that does not apply, then one that updates, deletes, moves and adds."""
    return [
        Reply([Patch(HOPELESS)], usage(1)),
        Reply([Patch(FOUR_CHANGES)], usage(2)),
        Reply([Say("Four files changed.")], usage(3)),
    ]


def calculator() -> list[Reply]:
    """Two calls of an MCP server's tools; the second one fails."""
    return [
        Reply([Call("add", {"a": 2, "b": 3}, "mcp__calculator")], usage(1)),
        Reply([Call("divide", {"a": 2, "b": 0}, "mcp__calculator")], usage(2)),
        Reply([Say("Five, and no answer.")], usage(3)),
    ]


def other_tools() -> list[Reply]:
    """An image, a plan, a goal, a web search, and a tool that does not exist."""
    plan = [{"step": "Look", "status": "completed"}, {"step": "Think", "status": "in_progress"}]
    search = {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "snow in May"}}
    return [
        Reply([Call("view_image", {"path": "dot.png"})], usage(1)),
        Reply([Call("update_plan", {"plan": plan})], usage(2)),
        Reply([Call("create_goal", {"objective": "See everything"})], usage(3)),
        Reply([Item(search), Call("no_such_tool", {"x": 1})], usage(4)),
        Reply([Say("Seen.")], usage(5)),
    ]


def asks_twice() -> list[Reply]:
    """Two commands that need the user's permission."""
    first = {"cmd": "echo allowed", "sandbox_permissions": "require_escalated", "justification": "May I say allowed?"}
    second = {"cmd": "echo refused", "sandbox_permissions": "require_escalated", "justification": "May I say refused?"}
    return [
        Reply([Call("exec_command", first)], usage(1)),
        Reply([Call("exec_command", second)], usage(2)),
        Reply([Say("One of two.")], usage(3)),
        *TITLES,
    ]


def _escalated(word: str) -> Call:
    return Call("exec_command", {"cmd": f"echo {word}", "sandbox_permissions": "require_escalated"})


def _verdict(outcome: str, rationale: str, risk: str) -> Say:
    answer = {"risk_level": risk, "user_authorization": "low", "outcome": outcome, "rationale": rationale}
    return Say(json.dumps(answer))


def guarded() -> list[Reply]:
    """Two commands that Codex's own reviewer judges in the user's place: it allows one and refuses the other."""
    allowed, refused = _verdict("allow", "It prints a word.", "low"), _verdict("deny", "Nobody asked for it.", "high")
    return [
        Reply([_escalated("allowed")], usage(1)),
        Reply([_escalated("refused")], usage(2)),
        Reply([Say("One of two.")], usage(3)),
        Reply([refused], usage(5), to='"echo refused"', aside=True),
        Reply([allowed], usage(4), to='"echo allowed"', aside=True),
    ]


SUMMARY = "CONTEXT CHECKPOINT"


def compacts() -> list[Reply]:
    """A command whose response fills the context, a summary, a message."""
    return [
        Reply([Shell("echo one")], usage(30)),
        Reply([Say("A summary of it all.")], usage(3), to=SUMMARY),
        Reply([Say("Done after the summary.")], usage(2)),
        *TITLES,
    ]


def compacts_by_hand() -> list[Reply]:
    """A turn, a summary, a turn."""
    return [
        Reply([Say("First answer.")], usage(1)),
        Reply([Say("Second answer.")], usage(2)),
        Reply([Say("A summary of it all.")], usage(3), to=SUMMARY),
        *TITLES,
    ]


TESTS = """\
import pytest

def test_one():
    pass

def test_two():
    assert 1 == 2

@pytest.mark.skip
def test_three():
    pass
"""


def tests_and_commit() -> list[Reply]:
    """A test run with a failure, then a commit."""
    commit = "git add -A && git -c user.name=Ada -c user.email=ada@example.org commit -qm second"
    return [
        Reply([Shell(f"{sys.executable} -m pytest -q --tb=no -p no:cacheprovider test_it.py")], usage(1)),
        Reply([Shell(commit)], usage(2)),
        Reply([Say("Committed.")], usage(3)),
    ]


def searches() -> list[Reply]:
    """Three web searches, two of them the same, in one response."""
    actions = [
        {"type": "search", "query": "snow in May"},
        {"type": "open_page", "url": "https://example.org/snow"},
        {"type": "search", "query": "snow in May"},
    ]
    items = [Item({"type": "web_search_call", "status": "completed", "action": action}) for action in actions]
    return [Reply([*items, Say("It snows.")], usage(1))]


def plans() -> list[Reply]:
    """A plan of two steps, and a message."""
    steps = [{"step": "Look", "status": "completed"}, {"step": "Write", "status": "in_progress"}]
    return [Reply([Call("update_plan", {"plan": steps})], usage(1)), Reply([Say("Planned.")], usage(2))]


REVIEW_PROMPT = "Look for lost entries."
FINDINGS = {
    "findings": [
        {
            "title": "[P2] The last entry is missed",
            "body": "The loop ends one entry early.",
            "confidence_score": 0.8,
            "priority": 2,
            "code_location": {"absolute_file_path": "app.py", "line_range": {"start": 1, "end": 1}},
        }
    ],
    "overall_correctness": "patch is incorrect",
    "overall_explanation": "One entry is lost.",
    "overall_confidence_score": 0.9,
}


def reviews() -> list[Reply]:
    """A command of the reviewer, its findings, and the answer to a later prompt."""
    return [
        Reply([Shell("git status --short")], usage(1)),
        Reply([Say(json.dumps(FINDINGS))], usage(2)),
        Reply([Say("You are welcome.")], usage(3)),
        *TITLES,
    ]


INSTRUCTIONS = "Answer briefly.\n"
IDE_PROMPT = """\

# Context from my IDE setup:

## Active file: src/app.py

## Active selection of the file:
def total(prices):
    return sum(prices)

## Open tabs:
- app.py: src/app.py
- README.md: README.md

# Files mentioned by the user:

## prices.csv: data/prices.csv

## My request for Codex:
Round the total.
Keep the name.
"""


def thinks_and_answers() -> list[Reply]:
    """A reasoning item with a summary, and a message."""
    thought = {"type": "summary_text", "text": "**Rounding**\n\nTwo digits are enough."}
    reasoning = Item({"type": "reasoning", "summary": [thought], "encrypted_content": "AAAA"})
    return [Reply([reasoning, Say("Rounded.")], usage(1))]


SECOND_TASK = "Count them again."


def subagent_again(namespace: str | None) -> list[Reply]:
    """A subagent that gets more work in the next turn."""
    wait = Call("wait_agent", {"targets": [AGENT], "timeout_ms": 20_000}, namespace)
    return [
        Reply([Call("spawn_agent", {"message": TASK, "agent_type": "explorer"}, namespace)], usage(1)),
        Reply([wait], usage(2)),
        Reply([Say("Counted once.")], usage(3)),
        Reply([Call("send_input", {"target": AGENT, "message": SECOND_TASK}, namespace)], usage(4)),
        Reply([wait], usage(5)),
        Reply([Say("Counted twice.")], usage(6)),
        Reply([Say("Six.")], usage(8), to=SECOND_TASK),
        Reply([Say("Five.")], usage(7), to=TASK),
        *TITLES,
    ]


def subagent_again_outliving() -> list[Reply]:
    """A subagent that gets more work in the next turn and is still working when that turn and another one end."""
    waits = "touch at-work; while test ! -e go-on; do sleep 0.1; done; echo 6"
    return [
        Reply([Call("spawn_agent", {"message": TASK, "agent_type": "explorer"}, V1)], usage(1)),
        Reply([Call("wait_agent", {"targets": [AGENT], "timeout_ms": 20_000}, V1)], usage(2)),
        Reply([Say("Counted once.")], usage(3)),
        Reply([Call("send_input", {"target": AGENT, "message": SECOND_TASK}, V1)], usage(4)),
        Reply([Say("The agent is on it.")], usage(5)),
        Reply([Say("Hello to you.")], usage(6)),
        Reply([Shell(waits)], usage(8), to=SECOND_TASK),
        Reply([Say("Six.")], usage(9), to=SECOND_TASK),
        Reply([Say("Five.")], usage(7), to=TASK),
        *TITLES,
    ]


def outliving_subagent() -> list[Reply]:
    """A subagent that is still working when its turn ends, and during the next turn."""
    return [
        Reply([Call("spawn_agent", {"message": TASK, "agent_type": "explorer"}, V1)], usage(1)),
        Reply([Say("The agent is on it.")], usage(2)),
        Reply([Say("Hello to you.")], usage(3)),
        Reply([Shell("touch at-work; while test ! -e go-on; do sleep 0.1; done; echo 7")], usage(4), to=TASK),
        Reply([Say("Seven.")], usage(5), to=TASK),
        *TITLES,
    ]


def queued() -> list[Reply]:
    """A command that takes long enough for the user to type another prompt."""
    return [
        Reply([Shell("touch started; while test ! -e go-on; do sleep 0.1; done")], usage(1)),
        Reply([Say("First done.")], usage(2)),
        Reply([Say("Second done.")], usage(3)),
        *TITLES,
    ]


def code_mode() -> list[Reply]:
    """A program that runs a command and applies a patch."""
    program = (
        'const one = await tools.exec_command({cmd: "echo nested; exit 5"});\n'
        f"const two = await tools.apply_patch({PATCH!r});\n"
        "text(JSON.stringify(one));\n"
    )
    return [Reply([Program("exec", program)], usage(1)), Reply([Say("The program ran.")], usage(2))]


def _exec(*arguments: str) -> Callable[[Sandbox], object]:
    return lambda sandbox: sandbox.codex_exec(*arguments)


def _exec_failing(*arguments: str) -> Callable[[Sandbox], object]:
    def play(sandbox: Sandbox) -> None:
        command = ["codex", "exec", "--dangerously-bypass-approvals-and-sandbox", *arguments]
        assert sandbox.execute(command, check=False).returncode != 0

    return play


def _resumed_subagent(sandbox: Sandbox) -> None:
    """The user resumes the thread of a subagent."""
    sandbox.codex_exec("Have an agent count.")
    [thread] = [path for path in sandbox.transcripts() if '"thread_spawn"' in path.open(encoding="utf-8").readline()]
    sandbox.codex_exec("resume", thread.stem[-36:], "What did you count?")


def _resumed(sandbox: Sandbox) -> None:
    sandbox.codex_exec("First question.")
    sandbox.codex_exec("resume", "--last", "Second question.")


def _forked(sandbox: Sandbox) -> None:
    sandbox.codex_exec("First question.")
    [parent] = sandbox.transcripts()
    sandbox.codex_exec("fork", parent.stem[-36:], "Second question.")


def slow_command() -> list[Reply]:
    """A command that takes a minute; then a message, to the next prompt."""
    return [
        Reply([Shell("echo working; touch started; sleep 60")], usage(1)),
        Reply([Say("As you like.")], usage(2)),
        *TITLES,
    ]


def _interrupted(sandbox: Sandbox) -> None:
    """Esc while a command runs, then another prompt."""
    with CodexTerminal(sandbox, "--dangerously-bypass-approvals-and-sandbox") as codex:
        codex.say("Work for a minute.")
        wait_for((sandbox.project / "started").exists, "the command to run")
        codex.press("Escape")
        codex.see_one_of("interrupted")
        codex.say("Never mind.")
        codex.see_one_of("As you like.")
        codex.leave()


YOLO = "--dangerously-bypass-approvals-and-sandbox"


def _patched(sandbox: Sandbox) -> None:
    for name, text in {"old.txt": "one\ntwo\n", "gone.txt": "x\n" * 3, "here.txt": "a\n"}.items():
        (sandbox.project / name).write_text(text, "utf-8")
    sandbox.codex_exec("Change four files.")


def _looked(sandbox: Sandbox) -> None:
    (sandbox.project / "dot.png").write_bytes(base64.b64decode(DOT))
    sandbox.codex_exec("Look at everything.")


DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def _reviewed(sandbox: Sandbox) -> None:
    """`codex exec review` with instructions: without them the prompt would be Codex's own text."""
    (sandbox.project / "app.py").write_text("print(1)\n", "utf-8")
    sandbox.codex_exec("review", REVIEW_PROMPT)


def _reviewed_in_terminal(sandbox: Sandbox) -> None:
    """`/review` with instructions, then a prompt."""
    (sandbox.project / "app.py").write_text("print(1)\n", "utf-8")
    with CodexTerminal(sandbox, YOLO) as codex:
        codex.say(f"/review {REVIEW_PROMPT}")
        codex.see_one_of("One entry is lost.")
        codex.say("Thank you.")
        codex.see_one_of("You are welcome.")
        codex.leave()


def _asked_from_an_ide(sandbox: Sandbox) -> None:
    """A prompt as an IDE's client sends it, with an image, in a project with instructions."""
    (sandbox.project / "AGENTS.md").write_text(INSTRUCTIONS, "utf-8")
    (sandbox.project / "dot.png").write_bytes(base64.b64decode(DOT))
    sandbox.codex_exec("-i", "dot.png", "--", IDE_PROMPT)
    sandbox.codex_exec("resume", "--last", "And again.")


def _asked(sandbox: Sandbox) -> None:
    with CodexTerminal(sandbox, "-a", "on-request", "-s", "read-only") as codex:
        codex.say("Say two things.")
        codex.see_one_of("May I say allowed?")
        time.sleep(0.5)  # the time a request waits for its answer is part of what is recorded
        codex.press("y")
        codex.see_one_of("May I say refused?")
        codex.press("n")
        codex.see_one_of("One of two.", "interrupted")
        codex.leave()


def _compacted_by_hand(sandbox: Sandbox) -> None:
    with CodexTerminal(sandbox, YOLO) as codex:
        codex.say("First question.")
        codex.see_one_of("First answer.")
        codex.say("/compact")
        codex.see_one_of("ompacted")
        codex.say("Second question.")
        codex.see_one_of("Second answer.")
        codex.leave()


def _committed(sandbox: Sandbox) -> None:
    (sandbox.project / "test_it.py").write_text(TESTS, "utf-8")
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    sandbox.execute(["git", *who, "commit", "-q", "--allow-empty", "-m", "first"])
    sandbox.codex_exec("Test and commit.")


def _outlived(sandbox: Sandbox) -> None:
    with CodexTerminal(sandbox, YOLO) as codex:
        codex.say("Send an agent.")
        codex.see_one_of("The agent is on it.")
        wait_for((sandbox.project / "at-work").exists, "the subagent's command")
        codex.say("Hello.")
        codex.see_one_of("Hello to you.")
        (sandbox.project / "go-on").touch()
        wait_for(lambda: '"SubagentStop"' in (sandbox.root / "events.jsonl").read_text("utf-8"), "the subagent to end")
        codex.leave()


def _subagent_again(sandbox: Sandbox) -> None:
    with CodexTerminal(sandbox, YOLO) as codex:
        codex.say("Count.")
        codex.see_one_of("Counted once.")
        codex.say("And again.")
        codex.see_one_of("Counted twice.")
        codex.leave()


def _subagent_again_outliving(sandbox: Sandbox) -> None:
    with CodexTerminal(sandbox, YOLO) as codex:
        codex.say("Count.")
        codex.see_one_of("Counted once.")
        codex.say("And again.")
        codex.see_one_of("The agent is on it.")
        wait_for((sandbox.project / "at-work").exists, "the subagent's command")
        codex.say("Hello.")
        codex.see_one_of("Hello to you.")
        (sandbox.project / "go-on").touch()
        events = sandbox.root / "events.jsonl"
        wait_for(lambda: events.read_text("utf-8").count('"SubagentStop"') == 2, "the subagent to end again")
        codex.leave()


def _queued(sandbox: Sandbox) -> None:
    with CodexTerminal(sandbox, YOLO) as codex:
        codex.say("First question.")
        wait_for((sandbox.project / "started").exists, "the command to run")
        codex.say("Second question.", "Tab")
        (sandbox.project / "go-on").touch()
        codex.see_one_of("Second done.")
        codex.leave()


def _cleared(sandbox: Sandbox) -> None:
    with CodexTerminal(sandbox, YOLO) as codex:
        codex.say("First question.")
        codex.see_one_of("First answer.")
        codex.say("/clear")
        time.sleep(1)
        codex.say("Second question.")
        codex.see_one_of("Second answer.")
        codex.leave()


def forks() -> list[Reply]:
    """A message in the parent, a message in the fork."""
    return [*goes_on(), *TITLES]


def _forked_in_terminal(sandbox: Sandbox) -> None:
    sandbox.codex_exec("First question.")
    [parent] = sandbox.transcripts()
    with CodexTerminal(sandbox, "fork", YOLO, parent.stem[-36:]) as codex:
        codex.say("Second question.")
        codex.see_one_of("Goodbye.")
        codex.leave()


SCENARIOS: Mapping[str, Scenario] = {
    "turn": Scenario(failing_command_patch_message, _exec(PROMPT), everywhere=True),
    "ephemeral": Scenario(failing_command_patch_message, _exec("--ephemeral", PROMPT), everywhere=True),
    "resume": Scenario(one_message, _resumed, everywhere=True),
    "fork": Scenario(goes_on, _forked),
    "model-fails": Scenario(model_fails, _exec_failing("Say one.")),
    "stream-breaks": Scenario(stream_breaks, _exec_failing("Say one.")),
    "interrupted": Scenario(slow_command, _interrupted),
    "background": Scenario(polled_command, _exec("Run it.")),
    "left-running": Scenario(command_left_running, _exec("Serve it.")),
    "patches": Scenario(four_changes, _patched),
    "mcp": Scenario(
        calculator,
        _exec("Add, then divide."),
        config=lambda _: f'[mcp_servers.calculator]\ncommand = "{sys.executable}"\nargs = ["{CALCULATOR}"]\n',
    ),
    "review": Scenario(reviews, _reviewed),
    "review-terminal": Scenario(reviews, _reviewed_in_terminal),
    "searches": Scenario(searches, _exec("Search for snow.")),
    "plan": Scenario(plans, _exec("Plan it."), config=lambda _: "[tools.update_plan]\nenabled = true\n"),
    "guardian": Scenario(
        guarded,
        lambda sandbox: sandbox.execute(["codex", "exec", "Say two things."]),
        root_config='approvals_reviewer = "auto_review"\napproval_policy = "on-request"\nsandbox_mode = "read-only"\n',
    ),
    "ide": Scenario(thinks_and_answers, _asked_from_an_ide),
    "other-tools": Scenario(other_tools, _looked),
    "permission": Scenario(asks_twice, _asked),
    "auto-compact": Scenario(compacts, _exec("Go on and on."), root_config="model_auto_compact_token_limit = 20000\n"),
    "compact": Scenario(compacts_by_hand, _compacted_by_hand),
    "tests-commit": Scenario(tests_and_commit, _committed),
    "subagent-outlives": Scenario(outliving_subagent, _outlived),
    "subagent-again": Scenario(lambda: subagent_again(V1), _subagent_again),
    "subagent-again-plain": Scenario(lambda: subagent_again(None), _subagent_again),
    "subagent-again-outlives": Scenario(subagent_again_outliving, _subagent_again_outliving),
    "slow-model": Scenario(slow_model, _exec("Take your time.")),
    "queued": Scenario(queued, _queued),
    "clear": Scenario(compacts_by_hand, _cleared),
    "code-mode": Scenario(code_mode, _exec("Run a program.", "-c", "features.code_mode=true")),
    "goes-on": Scenario(goes_on, _exec("Do it."), goes_on_once=True),
    "subagent": Scenario(lambda: subagent(V1, "wait_agent", agent_type="explorer"), _exec("Have an agent count.")),
    "subagent-plain": Scenario(
        lambda: subagent(None, "wait_agent", agent_type="explorer"), _exec("Have an agent count.")
    ),
    "subagent-left": Scenario(subagent_left, _exec("Send an agent.")),
    "subagent-resumed": Scenario(subagent_resumed, _resumed_subagent),
    "fork-terminal": Scenario(forks, _forked_in_terminal),
    "subagent-forked-plain": Scenario(
        lambda: subagent(None, "wait_agent", fork_context=True), _exec("Have an agent count.")
    ),
    "subagent-forked": Scenario(lambda: subagent(V1, "wait_agent", fork_context=True), _exec("Have an agent count.")),
}
