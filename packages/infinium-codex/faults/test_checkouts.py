"""A session that moves between projects, and checkouts that misbehave: every turn arrives, and at its own agent."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from infinium_config import ApprovedOrigins
from lab import AGENT, Lab, Row

Times = Callable[[int, int], int]
Tell = Callable[[Row], None]

OTHER_AGENT = "0b1d0aa5-94a3-4ef6-8d0c-2f3c9d1e7b11"


def agents_of(lab: Lab) -> dict[str, str]:
    """The agent that each delivered turn was sent to."""
    found = {}
    for headers, body in lab.api.requests:
        found[str(json.loads(body)["environment"]["custom_tags"]["turn"])] = headers["x-agent-id"]
    return found


def begin(lab: Lab, turn: str) -> None:
    lab.call("UserPromptSubmit", "s-1", turn, prompt=f"begins {turn}")
    lab.expect("s-1", turn)


def test_sessions_that_are_killed_in_one_project_and_resumed_in_another(lab: Lab, times: Times, tell: Tell) -> None:
    """Each killed turn is sent to the agent of the project it began in, when the next prompt comes elsewhere."""
    first, second = lab.project, lab.home / "second"
    (second / ".infinium").mkdir(parents=True)
    config = json.loads(lab.config.read_text()) | {"agent_id": OTHER_AGENT}
    (second / ".infinium" / "config.json").write_text(json.dumps(config))
    ApprovedOrigins(lab.state.parent / "infinium" / "origins.json").approve(OTHER_AGENT, lab.api.base_url)
    rounds = times(3, 40)
    expected = {}
    for number in range(rounds):
        for project, agent in ((first, AGENT), (second, OTHER_AGENT)):
            lab.project = project
            turn = f"t-{number}-{project.name}"
            begin(lab, turn)
            expected[turn] = agent
    lab.call("Stop", "s-1", turn, last_assistant_message="done")
    lab.project = first
    row = lab.account("two projects, killed in one, resumed in the other", rounds * 2)
    assert agents_of(lab) == expected
    tell(row)


def test_a_project_that_gets_another_agent_in_mid_turn(lab: Lab, times: Times, tell: Tell) -> None:
    ApprovedOrigins(lab.state.parent / "infinium" / "origins.json").approve(OTHER_AGENT, lab.api.base_url)
    rounds = times(3, 40)
    agents = [AGENT, OTHER_AGENT]
    expected = {}
    for number in range(rounds):
        turn = f"t-{number}"
        begin(lab, turn)
        expected[turn] = agents[number % 2]
        lab.edit_config(agent_id=agents[(number + 1) % 2])
        lab.call("Stop", "s-1", turn, last_assistant_message="done")
    row = lab.account("another agent in mid-turn", rounds)
    assert agents_of(lab) == expected
    tell(row)


def test_a_hostile_checkout(lab: Lab, tell: Tell) -> None:
    """A `.git` that cannot be read, and a transcript path that is no file, one after the other."""
    git, odd = lab.project / ".git", lab.home / "odd"

    def write(content: bytes) -> Callable[[], object]:
        return lambda: git.write_bytes(content)

    breaks: list[Callable[[], object]] = [
        write(b"gitdir: a\0b"),
        write(b"gitdir: " + b"x/" * 300_000),
        lambda: git.symlink_to(".git"),
        lambda: os.mkfifo(git),
    ]
    for number, make in enumerate(breaks):
        remove(git)
        make()
        lab.turn("s-1", f"git-{number}")
    remove(git)
    os.mkfifo(odd)
    for number, path in enumerate((str(odd), str(lab.home), "/" + "x" * 5_000, "/dev/zero")):
        turn = f"path-{number}"
        for name, more in (("UserPromptSubmit", {"prompt": "x"}), ("Stop", {"last_assistant_message": "done"})):
            lab.hook({**json.loads(lab.event(name, "s-1", turn, **more)), "transcript_path": path})
        lab.expect("s-1", turn)
    tell(lab.account("a hostile checkout, transcripts that are no files", len(breaks) + 4))


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
