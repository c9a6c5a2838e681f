"""A machine that ends with Codex: every process in a process namespace is killed when its first process ends."""

import json
import subprocess
from collections.abc import Callable

import pytest
from lab import Lab, Row

Times = Callable[[int, int], int]
Tell = Callable[[Row], None]
CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]
EVENTS = ("UserPromptSubmit", "Stop", "SessionEnd")


def run_turn(lab: Lab, number: int, *after: str, environ: dict[str, str]) -> int:
    """Run the hooks of a session with one turn in a container, then the command `after`; returns its exit code."""
    session, turn = f"s-{number}", f"t-{number}"
    lines = []
    for name in EVENTS:
        payload = lab.root / f"{session}-{name}.json"
        payload.write_bytes(lab.event(name, session, turn, prompt="x", last_assistant_message="done", reason="other"))
        lines.append(f"{{ {lab.commands[name]}; }} <'{payload}'".replace("; exit 0", ""))
    lines.append(" ".join(f"'{argument}'" for argument in after) or "true")
    lab.expect(session, turn)
    script = "\n".join(lines)
    done = subprocess.run(
        [*CONTAINER, script], cwd=lab.project, env={**lab.environ, **environ}, capture_output=True, check=False
    )
    return done.returncode


@pytest.mark.parametrize(
    "environ", [{"CI": "true", "CONNECTOR_WAIT_ON_END": ""}, {"CONNECTOR_WAIT_ON_END": "2.5"}], ids=["CI", "variable"]
)
def test_a_container_that_ends_with_codex(lab: Lab, times: Times, tell: Tell, environ: dict[str, str]) -> None:
    """The hook of the session's end waits until the turn's trace is sent: 20 of 20 arrive, and nothing else runs."""
    count = times(20, 60)
    for number in range(count):
        run_turn(lab, number, environ=environ)
    row = lab.account("a container that ends with Codex", count, settle=False)
    assert (row.delivered, row.resent) == (count, 0)
    tell(row)


def test_flush_at_the_end_of_a_container(lab: Lab, times: Times, tell: Tell) -> None:
    """Without the wait in the hook, `flush` traces and sends what the killed workers left, and exits with 0."""
    count = times(5, 20)
    codes = [run_turn(lab, number, *lab.program, "flush", environ={}) for number in range(count)]
    row = lab.account("flush at the end of a container", count, settle=False)
    assert codes == [0] * count
    assert (row.delivered, row.resent) == (count, 0)
    tell(row)


def test_flush_sends_what_containers_left_behind(lab: Lab, tell: Tell) -> None:
    """Three containers end at once and leave their events in the spool: one `flush` later traces and sends them."""
    for number in range(3):
        run_turn(lab, number, environ={})
    done = lab.run("flush", "--json")
    assert json.loads(done.stdout)["queued"] == 0
    assert done.returncode == 0
    row = lab.account("flush behind containers", 3, settle=False)
    assert row.delivered == 3
    tell(row)
