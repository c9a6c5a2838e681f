"""A machine on which every check of `doctor` passes, and what its tests do with it."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

from api import Api, reply, serve
from fake_codex import FakeCodex
from infinium_transport import Envelope
from machine import Machine
from recorded import recordings

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
SECRET = "sesame-4711-canary"


class HealthyMachine(Machine):
    """A machine after `init`, with the newest Codex (`FakeCodex`), an API, and the secret in the environment."""

    def __init__(self, root: Path, api: Api) -> None:
        super().__init__(root)
        self.api = api
        self.codex = FakeCodex(self)
        # No test may ask the keyring of the person who runs it.
        self.environ |= {"INFINIUM_AGENT_SECRET": SECRET, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
        done = self.run("init", "--no-interactive", "--no-trust", "--agent-id", AGENT, "--base-url", api.base_url)
        assert done.returncode == 0, done.stderr
        self.codex.list_hooks()

    def examine(self, *options: str) -> dict[str, Any]:
        """Run `doctor --json` and return its report; fails if the exit code in the report is not the process's."""
        done = self.run("doctor", "--json", *options)
        assert "Traceback" not in done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert report["exit_code"] == done.returncode
        return report

    def without_paths(self, text: str) -> str:
        """Replace the directories, the address and the times of this run in a text."""
        text = text.replace(str(self.root), "<root>").replace(self.api.base_url, "<api>")
        return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d", "<time>", text)

    def trace_a_turn(self) -> str:
        """Have a turn traced and sent; returns its session id."""
        self.api.answers = [reply(200)]
        self.read_hooks()
        recording = recordings("turn")[-1]
        self.play(recording)
        self.wait_until_idle()
        return recording.sessions[0]

    def write_transcript(self, session: str, directory: Path | None = None) -> None:
        """Write a transcript as Codex does for a session with one completed turn, in the project unless told."""
        now = time.strftime("%Y-%m-%dT%H:%M:%S.999Z", time.gmtime())
        path = self.codex_home / "sessions" / "2026" / "11" / "23" / f"rollout-2026-11-23T14-00-00-{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        meta = {"id": session, "cwd": str(directory or self.project), "source": "exec"}
        records = (
            {"timestamp": now, "type": "session_meta", "payload": meta},
            {"timestamp": now, "type": "event_msg", "payload": {"type": "task_complete"}},
        )
        path.write_text("".join(f"{json.dumps(record, separators=(',', ':'))}\n" for record in records), "utf-8")

    def queued_trace(self) -> Envelope:
        """A trace for the agent's outbox."""
        key = "0f0e7a52-5f0a-5e9b-8f53-0b7c0a1d2e3f"
        now = time.time()
        return Envelope(key=key, agent_id=AGENT, base_url=self.api.base_url, body=b"{}", created=now, name="A turn")


@contextmanager
def healthy_machine(root: Path) -> Iterator[HealthyMachine]:
    """A healthy machine below `root`; its API answers as long as the block runs."""
    with serve([reply(405, b"", f"Date: {formatdate(usegmt=True)}")]) as api:
        yield HealthyMachine(root, api)


def checks(report: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The checks of a report, by name."""
    return {check["name"]: check for check in report["checks"]}


def problems(report: dict[str, Any]) -> list[str]:
    """The names of the checks that found a problem."""
    return [check["name"] for check in report["checks"] if check["verdict"] == "problem"]
