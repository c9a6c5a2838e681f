"""Many hooks at once, two workers on one spool, and changes of the installation under them."""

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lab import Lab, Row

Times = Callable[[int, int], int]
Tell = Callable[[Row], None]


def test_64_hooks_at_once(lab: Lab, times: Times, tell: Tell) -> None:
    """One session each: no event is lost or mixed with another, so each trace has every tool call."""
    turns, calls = times(1, 20), times(4, 100)

    def live(session: str) -> None:
        for number in range(turns):
            turn = f"{session}-t-{number}"
            lab.call("UserPromptSubmit", session, turn, prompt="x")
            for call in range(calls):
                use_tool(lab, session, turn, f"{turn}-{call}")
            lab.call("Stop", session, turn, last_assistant_message="done")
            lab.expect(session, turn)

    with ThreadPoolExecutor(64) as pool:
        list(pool.map(live, [f"s-{number}" for number in range(64)]))
    row = lab.account("64 hooks at once, 64 KiB each", 64 * turns * calls)
    tell(row)  # first: a hook that timed out has written nothing
    assert all(f"{calls} tool calls".encode() in body for _, body in lab.api.requests)


def test_64_hooks_at_once_in_one_session(lab: Lab, times: Times, tell: Tell) -> None:
    """Codex runs the tool calls of a turn in parallel, so all their hooks write to one spool."""
    count = times(128, 2_000)
    lab.call("UserPromptSubmit", "s-1", "t-1", prompt="x")

    with ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda number: use_tool(lab, "s-1", "t-1", f"u-{number}"), range(count)))
    lab.call("Stop", "s-1", "t-1", last_assistant_message="done")
    lab.expect("s-1", "t-1")
    row = lab.account("64 hooks at once on one spool", count)
    tell(row)
    assert f"{count:,} tool calls".encode() in lab.api.requests[0][1]


def test_two_sessions_and_two_workers_on_each_spool(lab: Lab, times: Times, tell: Tell) -> None:
    rounds = times(5, 100)
    for number in range(rounds):
        with lab.idle_hooks():
            for session in ("s-1", "s-2"):
                lab.turn(session, f"{session}-t-{number}")
                if number % 3 == 2:
                    lab.call("SessionEnd", session, "", reason="other")
        command = lab.worker_command
        running = [
            subprocess.Popen([*command, str(lab.spool(session))], env=lab.environ)
            for session in ("s-1", "s-2", "s-1", "s-2")
        ]
        assert [process.wait(60) for process in running] == [0] * 4
    row = lab.account("two sessions, two workers a spool", rounds * 4)
    assert row.resent == 0
    tell(row)


def test_a_session_that_goes_on_while_its_spool_is_removed(lab: Lab, times: Times, tell: Tell) -> None:
    """The spool is processed and removed after every turn; the next event may arrive at any moment of that."""
    count = times(15, 300)
    for number in range(count):
        lab.turn("s-1", f"t-{number}")
        lab.call("SessionEnd", "s-1", "", reason="other")
    row = lab.account("events while their spool is removed", count)
    assert row.resent == 0
    tell(row)


def test_an_upgrade_while_workers_run(lab: Lab, times: Times, tell: Tell) -> None:
    """The hook's home is written again at any moment; a running worker continues, and the next one starts."""
    count = times(6, 60)
    for number in range(count):
        lab.turn("s-1", f"t-{number}")
        (lab.data / "hook.py").write_text("# of another version\n" + (lab.data / "hook.py").read_text())
        lab.reinstall()
    tell(lab.account("the hook's home written anew", count))


def test_an_environment_that_is_gone_for_a_while(lab: Lab, tell: Tell) -> None:
    """Hooks record events between the removal of the old environment and the creation of the new one."""
    aside = lab.environment.with_name("gone")
    lab.environment.rename(aside)
    for number in range(3):
        lab.turn("s-1", f"t-{number}")
    aside.rename(lab.environment)
    row = lab.account("the worker's environment removed", 3)
    tell(row)


def use_tool(lab: Lab, session: str, turn: str, call: str) -> None:
    """Run the hook of a finished tool call that printed 64 KiB."""
    output = "o" * 65_536
    lab.call("PostToolUse", session, turn, tool_name="Bash", tool_use_id=call, tool_response=output)
