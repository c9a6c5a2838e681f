"""A turn of the real Codex with the secret in a real Secret Service and in no file."""

import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from api import receive
from infinium_codex.demo.scripted_model import ScriptedModel
from machine import wait_for
from sandbox import Sandbox
from scenarios import one_message

pytestmark = [pytest.mark.codex, pytest.mark.keyring]

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
SECRET = "sesame-4711-canary"
_START = """\
printf %s "$DBUS_SESSION_BUS_ADDRESS"
printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
echo
cat
"""


@pytest.fixture
def keyring(newest: Sandbox) -> Iterator[Sandbox]:
    """The newest Codex on a machine with an unlocked keyring."""
    for program in ("dbus-run-session", "gnome-keyring-daemon"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on PATH")
    process = subprocess.Popen(
        ["dbus-run-session", "--", "sh", "-c", _START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=newest.environ,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        newest.environ["DBUS_SESSION_BUS_ADDRESS"] = process.stdout.readline().decode().strip()
        yield newest
        process.stdin.close()


def test_the_detached_worker_reads_the_secret_from_the_keyring(keyring: Sandbox) -> None:
    with ScriptedModel(one_message()) as model, receive() as receiver:
        keyring.configure_codex(model)
        done = keyring.execute(
            [
                *("infinium-codex", "init", "--no-interactive", "--trust", "--agent-id", AGENT),
                *("--agent-secret", "-", "--base-url", receiver.base_url),
            ],
            stdin=f"{SECRET}\n",
        )
        assert "in the system keyring" in done.stdout
        told = {check["name"]: check["evidence"] for check in keyring.json("doctor")["checks"]}
        assert told["secret"] == "Read from the system keyring."
        assert told["secret for the worker"] == "A detached process reads it from the keyring."
        keyring.codex_exec("Say something.")
        [request] = wait_for(lambda: receiver.requests, "the trace")
        keyring.wait_until_idle()
    assert request.headers["x-agent-key"] == SECRET
    assert [path for path, data in keyring.contents().items() if SECRET.encode() in data] == []
    keyring.must_run("uninstall", "--yes")
    looked_up = f"import keyring; print(keyring.get_password('infinium-connector', '{AGENT}'))"
    assert keyring.execute([sys.executable, "-c", looked_up]).stdout == "None\n"
