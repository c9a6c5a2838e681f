"""The connector for another agent that the READMEs of the three libraries show: it runs with these three alone."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from api import Api, reply, serve
from infinium_config import ApprovedOrigins

PACKAGES = Path(__file__).parents[1] / "packages"
LIBRARIES = ("infinium-config", "infinium-trace", "infinium-transport")
AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
SECRET = "inf-9Qd2-do-not-send"
TURN = {
    "session": "s-1",
    "id": "turn-1",
    "started_ms": 1_700_000_000_000,
    "ended_ms": 1_700_000_005_000,
    "prompt": f"Call the API with {SECRET}.",
    "answer": "The tests pass.",
    "tools": [{"id": "call-1", "name": "shell", "ended_ms": 1_700_000_003_000, "output": f"key={SECRET}\n2 passed"}],
}

KEYRING = f"""
from keyring.backend import KeyringBackend


class OneSecret(KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        return {SECRET!r}

    def set_password(self, service, username, password):
        raise NotImplementedError

    def delete_password(self, service, username):
        raise NotImplementedError
"""


def section(library: str) -> str:
    """The section of a library's README about the connector."""
    _, heading, text = (
        (PACKAGES / library / "README.md").read_text("utf-8").partition("## A connector for another agent")
    )
    return heading + text


def program() -> str:
    [code] = re.findall(r"```python\n(.*?)```", section("infinium-config"), re.DOTALL)
    return str(code)


class Foo:
    """The imaginary agent: a user's home, a project, and the hook that runs after a turn."""

    def __init__(self, root: Path) -> None:
        self.home, self.project = root / "home", root / "project"
        self.config = self.project / ".infinium" / "config.json"
        self.config.parent.mkdir(parents=True)
        self.home.mkdir()
        self.state = self.home / "state"

    def configure(self, **keys: object) -> None:
        """Write the project file."""
        self.config.write_text(json.dumps(keys))

    def store_in_keyring(self) -> dict[str, str]:
        """Put the secret into a keyring; returns the variables that select it."""
        (self.home / "own_keyring.py").write_text(KEYRING)
        return {"PYTHONPATH": str(self.home), "PYTHON_KEYRING_BACKEND": "own_keyring.OneSecret"}

    def run_hook(self, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the connector of the READMEs after a turn."""
        own = {"HOME": str(self.home), "XDG_STATE_HOME": str(self.state), "PATH": os.environ["PATH"]}
        if os.name == "nt":
            own |= {"WIN_PD_OVERRIDE_LOCAL_APPDATA": str(self.state), "SYSTEMROOT": os.environ["SYSTEMROOT"]}
        keyring = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}  # not the one of this machine
        return subprocess.run(
            [sys.executable, "-c", program()],
            cwd=self.project,
            env={**own, **keyring, **environ},
            input=json.dumps(TURN),
            capture_output=True,
            text=True,
            check=False,
        )

    def queued(self) -> int:
        """How many traces wait to be sent."""
        return len(list((self.state / "foo-connector" / "outbox").glob("*.trace")))


@pytest.fixture
def foo(tmp_path: Path) -> Foo:
    return Foo(tmp_path)


def sent(api: Api) -> tuple[dict[str, str], dict[str, object]]:
    """Headers and body of the one request."""
    [(headers, body)] = api.requests
    assert SECRET.encode() not in body
    return headers, json.loads(body)


def test_the_three_readmes_show_the_same_connector_of_at_most_20_lines() -> None:
    assert section("infinium-config") == section("infinium-trace") == section("infinium-transport")
    assert len([line for line in program().splitlines() if line.strip()]) <= 20


def test_a_turn_becomes_a_delivered_trace(foo: Foo) -> None:
    """An origin approved elsewhere is approved here; the trace names Foo alone and has no secret in it."""
    with serve([reply(200)]) as api:
        foo.configure(agent_id=AGENT, base_url=api.base_url)
        # as another connector of the user approves it
        ApprovedOrigins(foo.state / "infinium" / "origins.json").approve(AGENT, api.base_url)
        done = foo.run_hook(INFINIUM_AGENT_SECRET=SECRET)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        headers, body = sent(api)
    assert headers[""] == f"POST /v1/agents/{AGENT}/trace HTTP/1.1"
    assert (headers["x-agent-key"], headers["user-agent"]) == (SECRET, "foo/1.0.0")
    text = json.dumps(body)
    assert body["name"] == "Call the API with [redacted:own-secret]."
    assert "The tests pass." in text
    assert "2 passed" in text
    assert "codex" not in text.lower()
    assert isinstance(body["sections"], dict)
    assert "foo" in body["sections"]["general"]["tags"]
    assert foo.queued() == 0


def test_no_trace_contains_a_secret_that_only_the_keyring_has(foo: Foo) -> None:
    with serve([reply(200)]) as api:
        foo.configure(agent_id=AGENT, base_url=api.base_url)
        ApprovedOrigins(foo.state / "infinium" / "origins.json").approve(AGENT, api.base_url)
        done = foo.run_hook(**foo.store_in_keyring())
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        headers, body = sent(api)
    assert headers["x-agent-key"] == SECRET
    assert body["name"] == "Call the API with [redacted:own-secret]."


def test_a_refused_origin_ends_with_a_message_and_a_failure(foo: Foo) -> None:
    """Nothing is sent, and the trace stays queued until the user approves the origin."""
    with serve([reply(200)]) as api:
        foo.configure(agent_id=AGENT, base_url=api.base_url)
        done = foo.run_hook(INFINIUM_AGENT_SECRET=SECRET)
        assert done.returncode == 1
        assert f"http://127.0.0.1:{api.port} is not approved for agent {AGENT}" in done.stderr
        assert "update-credentials" in done.stderr
        assert (api.requests, foo.queued()) == ([], 1)

        ApprovedOrigins(foo.state / "infinium" / "origins.json").approve(AGENT, api.base_url)
        assert foo.run_hook(INFINIUM_AGENT_SECRET=SECRET).returncode == 0
        sent(api)
    assert foo.queued() == 0


def test_without_a_secret_the_message_says_what_to_do(foo: Foo) -> None:
    foo.configure(agent_id=AGENT)
    done = foo.run_hook()
    assert done.returncode == 1
    assert "INFINIUM_AGENT_SECRET is not set" in done.stderr
    assert foo.queued() == 1


def test_a_paused_project_and_one_without_an_agent_record_nothing(foo: Foo) -> None:
    for keys in ({"agent_id": AGENT, "paused": True}, {}):
        foo.configure(**keys)
        done = foo.run_hook(INFINIUM_AGENT_SECRET=SECRET)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not foo.state.exists()


def test_the_settings_of_the_project_and_the_environment_apply(foo: Foo) -> None:
    foo.configure(base_url="local", redaction="metadata-only")
    assert foo.run_hook().returncode == 0
    [stored] = (foo.state / "foo-connector" / "local").rglob("*.json*")
    assert b"The tests pass." not in stored.read_bytes()


def test_an_invalid_project_file_is_named(foo: Foo) -> None:
    foo.config.write_text("{")
    done = foo.run_hook()
    assert done.returncode == 1
    assert f"{foo.config} is not valid JSON" in done.stderr
