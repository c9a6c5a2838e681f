"""A second agent, Foo, from the hook to the delivered trace: nothing but `foo_agent` knows of it."""

import json
import os
import signal
import sys
import venv
from pathlib import Path
from typing import Any

from api import Api, receive
from foo_agent import FOO
from machine import Machine, processes

pytest_plugins = ["no_leftovers"]

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
INSTALL = """
import json, os
from api import Api, receive
from foo_agent import FOO
from infinium_codex.capture.hook_command import hook_command
from infinium_codex.capture.install import install
from infinium_codex.support.paths import find_places
places = find_places(os.environ)
install(places, FOO)
print(json.dumps({event: hook_command(event) for event in FOO.hooks.triggers}))
"""


class FooMachine:
    """A machine with Foo's connector: an environment with the neutral rooms' packages and `foo_agent`."""

    def __init__(self, root: Path, base_url: str) -> None:
        environment = root / "environment"
        venv.create(environment, symlinks=True)
        [packages] = environment.glob("lib/*/site-packages")
        (packages / "foo.pth").write_text("\n".join([*filter(None, sys.path), str(Path(__file__).parent)]))
        self.machine = Machine(root / "machine")
        self.machine.environ |= {
            "INFINIUM_AGENT_ID": AGENT,
            "INFINIUM_AGENT_SECRET": "sesame",
            "INFINIUM_BASE_URL": base_url,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }
        done = self.machine.execute([str(environment / "bin" / "python"), "-I", "-c", INSTALL])
        self.commands: dict[str, str] = json.loads(done.stdout)
        self.log = root / "foo.log"
        self.hold = self.machine.project / "hold"

    def event(self, name: str, question: str | None = None, text: str = "", **environ: str) -> None:
        """Run Foo's hook, as Foo does."""
        payload = {"event": name, "conversation": "c-1", "question": question, "text": text}
        payload |= {"directory": str(self.machine.project), "log": str(self.log)}
        command = ["sh", "-c", self.commands[name]]
        done = self.machine.execute(command, stdin=json.dumps(payload), environ=environ)
        assert (done.stdout, done.stderr) == ("", "")

    def turn(self, number: str, prompt_tokens: int) -> None:
        """One question and its answer."""
        self.event("asked", number, f"question {number}")
        with self.log.open("a") as file:
            file.write(f"{number}\ttokens\t{prompt_tokens}\n{number}\tend\t-\n")
        self.event("answered", number, f"answer {number}")

    def wait_for(self, api: Api, count: int) -> list[dict[str, Any]]:
        """The traces, once so many were delivered and no worker runs."""
        self.machine.wait_for(lambda: len(api.requests) >= count, f"{count} traces")
        self.machine.wait_until_idle()
        return [request.trace for request in api.requests]


def told(trace: dict[str, Any]) -> tuple[str, str, int]:
    return trace["input_summary"], trace["output_summary"], trace["llm_usage"]["prompt_tokens"]


def test_a_turn_of_another_agent_is_delivered(tmp_path: Path) -> None:
    with receive() as api:
        foo = FooMachine(tmp_path, api.base_url)
        foo.turn("1", 70)
        [trace] = foo.wait_for(api, 1)
    assert told(trace) == ("question 1", "answer 1", 70)
    assert "codex" not in json.dumps(trace["sections"]["general"]["tags"])
    assert trace["environment"]["framework"] == FOO.program


def test_a_kill_of_the_worker_and_a_restart_of_the_agent_lose_and_repeat_no_turn(tmp_path: Path) -> None:
    with receive() as api:
        foo = FooMachine(tmp_path, api.base_url)
        foo.turn("1", 70)
        foo.wait_for(api, 1)
        foo.hold.touch()
        foo.turn("2", 80)
        [worker] = foo.machine.wait_for(lambda: processes(foo.machine.root, ".spool\0answered"), "the worker")
        os.kill(worker, signal.SIGKILL)
        foo.hold.unlink()
        foo.turn("3", 90)
        foo.wait_for(api, 3)
        foo.event("closed")
        *turns, summary = foo.wait_for(api, 4)
    expected = [("question 1", "answer 1", 70), ("question 2", "answer 2", 80), ("question 3", "answer 3", 90)]
    assert [told(trace) for trace in turns] == expected
    assert summary["environment"]["custom_tags"]["turns"] == "3"
    assert len({request.headers["idempotency-key"] for request in api.requests}) == len(api.requests) == 4
    assert foo.machine.spools == []


def test_a_killed_agent_is_closed_by_the_scheduler(tmp_path: Path) -> None:
    with receive() as api:
        foo = FooMachine(tmp_path, api.base_url)
        foo.event("asked", "1", "never answered", CONNECTOR_SESSION_TTL="0.3")
        trace, _ = foo.wait_for(api, 2)
    assert trace["input_summary"] == "never answered"
    assert trace["errors"][0]["message"] == "session timed out"
