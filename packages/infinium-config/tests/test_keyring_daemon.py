"""A real keyring: GNOME's Secret Service on its own message bus, in an empty home directory."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

NEEDED = ("dbus-run-session", "dbus-send", "gnome-keyring-daemon")
ABSENT = [program for program in NEEDED if shutil.which(program) is None]

pytestmark = [
    pytest.mark.keyring,
    pytest.mark.skipif(bool(ABSENT), reason=f"no real Secret Service: {', '.join(ABSENT)} not on PATH"),
]

SESSION = """
{daemon} <password >/dev/null 2>&1 &
daemon=$!
owner="dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner"
until $owner string:org.freedesktop.secrets | grep -q true; do sleep 0.05; done
{then}
"$@"
code=$?
kill -CONT $daemon
kill $daemon
exit $code
"""
UNLOCKED = "gnome-keyring-daemon --foreground --unlock --components=secrets"
LOCKED = "gnome-keyring-daemon --foreground --components=secrets"

CHILD = """
from pathlib import Path
from infinium_config import ApprovedOrigins, Secret, SecretFound
from infinium_config import ProjectFile, delete_secret, find_secret, resolve, store_secret
AGENT = "6f0c6d4e-3b1a-4c55-9f0e-1f6f3c1f2a10"
origins = ApprovedOrigins(Path("origins.json"))
def show(outcome):
    name = "secret " + outcome.secret.reveal() if isinstance(outcome, SecretFound) else repr(outcome)
    print(name, getattr(outcome, "source", ""))
def get(deadline=30.0):
    show(find_secret(resolve({}, None, ProjectFile(agent_id=AGENT)), origins=origins, deadline=deadline))
"""


class SecretService:
    """Runs Python beside a Secret Service, whose secrets persist between runs."""

    def __init__(self, root: Path) -> None:
        self.home, self.runtime = root / "home", root / "run"
        self.home.mkdir()
        self.runtime.mkdir(mode=0o700)
        (root / "password").write_text("correct horse")
        self.root = root

    def run(self, *lines: str, daemon: str = UNLOCKED, then: str = "") -> list[str]:
        """Run the lines in a new session and process; return the printed lines."""
        session = SESSION.format(daemon=daemon, then=then)
        program = CHILD + "\n".join(lines)
        command = ["dbus-run-session", "--", "sh", "-c", session, "sh", sys.executable, "-c", program]
        environ = {"HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.runtime), "PATH": os.environ["PATH"]}
        process = subprocess.Popen(
            command,
            cwd=self.root,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        assert process.returncode == 0, err
        return out.splitlines()


@pytest.fixture
def service(tmp_path: Path) -> SecretService:
    return SecretService(tmp_path)


def test_a_secret_is_stored_read_by_another_process_and_deleted(service: SecretService) -> None:
    (absent,) = service.run("get()")
    assert absent.startswith("SecretMissing(")
    assert service.run("print(delete_secret(AGENT))") == ["False"]

    stored = service.run("show(store_secret(AGENT, Secret('sk-ä-one')))")
    assert stored == ["Stored(backend='keyring.backends.SecretService') "]
    assert service.run("get()") == ["secret sk-ä-one keyring"]

    service.run("store_secret(AGENT, Secret('sk-two'))")
    assert service.run("get()") == ["secret sk-two keyring"]

    assert service.run("print(delete_secret(AGENT))", "print(delete_secret(AGENT))") == ["True", "False"]
    (deleted,) = service.run("get()")
    assert deleted.startswith("SecretMissing(")


def test_the_secret_has_the_name_that_other_connectors_use(service: SecretService) -> None:
    service.run("import keyring", "keyring.set_password('infinium-connector', AGENT, 'sk-of-1x')")
    assert service.run("get()") == ["secret sk-of-1x keyring"]


def test_the_secret_is_in_no_file_as_plain_text(service: SecretService) -> None:
    service.run("store_secret(AGENT, Secret('sk-do-not-show'))")
    files = [path for path in service.root.rglob("*") if path.is_file()]
    assert any(path.suffix == ".keyring" for path in files)
    assert all(b"sk-do-not-show" not in path.read_bytes() for path in files)


EVERYTHING = ("get()", "show(store_secret(AGENT, Secret('sk-two')))", "show(delete_secret(AGENT))")


def test_a_locked_keyring_is_reported_as_locked(service: SecretService) -> None:
    service.run("store_secret(AGENT, Secret('sk-one'))")
    shown = service.run(*EVERYTHING, daemon=LOCKED)
    assert [line.split("(")[0] for line in shown] == ["KeyringUnavailable"] * 3
    assert all("KeyringLocked" in line for line in shown)
    assert service.run("get()") == ["secret sk-one keyring"]


def test_a_keyring_that_was_never_set_up_is_unavailable(service: SecretService) -> None:
    shown = service.run(*EVERYTHING, daemon=LOCKED)
    assert [line.split("(")[0] for line in shown] == ["KeyringUnavailable"] * 3


def test_a_service_that_hangs_times_out_and_the_process_ends(service: SecretService) -> None:
    service.run("store_secret(AGENT, Secret('sk-one'))")
    lines = (
        "get(0.5)",
        "show(store_secret(AGENT, Secret('sk-two'), 0.5))",
        "show(delete_secret(AGENT, 0.5))",
    )
    shown = service.run(*lines, then="kill -STOP $daemon")
    assert all("did not answer within 0.5 s" in line for line in shown)
    assert len(shown) == 3
