"""`doctor` on a machine with one thing broken at a time: it names it, says what to do, and its exit code is true.

Codex is `FakeCodex` here, which answers as 0.169.0 was recorded to; `e2e/test_doctor.py` asks the real one.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from api import Api, reply, serve
from fake_codex import FakeCodex
from infinium_codex.support.paths import spool_directory
from infinium_transport import Envelope, Ledger, Outbox
from machine import Machine, end_timers
from recorded import recordings
from syrupy.assertion import SnapshotAssertion

pytest_plugins = ["no_leftovers"]

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
SECRET = "sesame-4711-canary"
OLD_COMMAND = '"/usr/bin/python3" -m infinium_codex_connector.hook'
OLD_HOOKS = {"Stop": [{"matcher": ".*", "hooks": [{"type": "command", "command": OLD_COMMAND, "timeout": 5000}]}]}
"""What the public connector 1.1.0 writes."""


class Patient(Machine):
    """A machine that was set up and is well: the newest Codex, an agent, its secret in the environment, an API."""

    def __init__(self, root: Path, api: Api) -> None:
        super().__init__(root)
        self.api = api
        self.codex = FakeCodex(self)
        # A keyring that gives nothing, without asking a real one.
        self.environ |= {"INFINIUM_AGENT_SECRET": SECRET, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
        done = self.run("init", "--no-interactive", "--no-trust", "--agent-id", AGENT, "--base-url", api.base_url)
        assert done.returncode == 0, done.stderr
        self.codex.list_hooks()

    @property
    def data(self) -> Path:
        """The hook's home."""
        return self.home / ".local" / "share" / "infinium-codex"

    @property
    def state(self) -> Path:
        return self.home / ".local" / "state" / "infinium-codex"

    @property
    def codex_home(self) -> Path:
        return self.home / ".codex"

    def files(self) -> dict[Path, int]:
        """Every file of the user's, and when it was written."""
        found = [path for place in (self.home, self.tmp) for path in place.rglob("*")]
        return {path: path.lstat().st_mtime_ns for path in found if not path.is_dir()}

    def edit_hooks(self, edit: Callable[[dict[str, Any]], object]) -> None:
        """Change hooks.json as a user would."""
        document = json.loads(self.hooks.read_text("utf-8"))
        edit(document)
        self.hooks.write_text(json.dumps(document), "utf-8")

    def edit_config(self, **values: object) -> None:
        """Change the project file."""
        self.config.write_text(json.dumps(json.loads(self.config.read_text("utf-8")) | values), "utf-8")

    def examine(self, *options: str) -> dict[str, Any]:
        """What `doctor --json` prints, with its exit code, which it must be true to."""
        done = self.run("doctor", "--json", *options)
        assert done.stderr == ""
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["exit_code"] == done.returncode
        return found


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Patient]:
    with serve([reply(405, b"", f"Date: {formatdate(usegmt=True)}")]) as api:
        yield Patient(tmp_path, api)
    end_timers(tmp_path)


def told(patient: Patient, text: str) -> str:
    """A text without this run's directories and times."""
    text = text.replace(str(patient.root), "<root>").replace(patient.api.base_url, "<api>")
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "<time>", text)


def checks(found: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in found["checks"]}


# A healthy machine


def test_all_is_well(patient: Patient, snapshot: SnapshotAssertion) -> None:
    done = patient.run("doctor", "--online")
    assert (done.returncode, done.stderr) == (0, "")
    assert told(patient, done.stdout) == snapshot


def test_all_is_well_as_json(patient: Patient, snapshot: SnapshotAssertion) -> None:
    done = patient.run("doctor", "--online", "--json")
    assert told(patient, done.stdout) == snapshot


def test_looking_changes_nothing_and_sends_nothing(patient: Patient) -> None:
    before = patient.files()
    patient.examine()
    assert patient.files() == before
    assert patient.api.requests == []
    patient.examine("--online")
    assert [headers[""].split()[0] for headers, _ in patient.api.requests] == ["GET"]
    assert SECRET not in repr(patient.api.requests)


def trace_a_turn(patient: Patient) -> str:
    """Have a turn traced and sent; gives its session."""
    patient.api.answers = [reply(200)]
    patient.read_hooks()
    recording = recordings("turn")[-1]
    patient.play(recording)
    patient.wait_until_idle()
    session = recording.hook_events()[0][1]["session_id"]
    assert isinstance(session, str)
    return session


def test_a_traced_turn_is_seen(patient: Patient) -> None:
    """After a turn: its trace is the last one, and its session is known though Codex wrote it down too."""
    write_transcript(patient, trace_a_turn(patient))
    found = checks(patient.examine())
    assert found["last trace"]["evidence"].endswith(f"to {patient.api.base_url}")
    assert found["sessions"]["verdict"] == "ok"
    assert found["sessions"]["evidence"].startswith("1 of Codex here since ")


# One thing broken


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What is done to the machine, and what the doctor must say."""

    name: str
    inject: Callable[[Patient], object]
    check: str
    verdict: str
    evidence: str
    fix: str
    options: tuple[str, ...] = ()
    mended: bool = False
    """Whether `--fix` mends it."""


def other_codex(version: str) -> Callable[[Patient], None]:
    return lambda patient: patient.codex.is_version(version)


def features_off(patient: Patient) -> None:
    layer = {"name": {"type": "user", "file": "/home/dev/.codex/config.toml"}, "config": {"features": {"hooks": False}}}
    projects = {str(patient.project): {"trust_level": "trusted"}}
    config = {"features": {"hooks": False}, "projects": projects}
    patient.codex.answer("config/read", {"config": config, "layers": [layer]})
    no_hooks(patient)


def no_hooks(patient: Patient, *warnings: str) -> None:
    entry = {"cwd": str(patient.project), "hooks": [], "warnings": list(warnings), "errors": []}
    patient.codex.answer("hooks/list", {"data": [entry]})


def untrusted_project(patient: Patient) -> None:
    patient.codex.answer("config/read", {"config": {"projects": {}}, "layers": []})
    no_hooks(patient)


def managed_only(patient: Patient) -> None:
    patient.codex.answer("configRequirements/read", {"requirements": {"allowManagedHooksOnly": True}})
    no_hooks(patient)


def old_codex_without_flag(patient: Patient) -> None:
    patient.codex.is_version("0.118.0")
    patient.codex.refuse("config/batchWrite", "unknown method")
    patient.codex_home.mkdir()
    (patient.codex_home / "config.toml").write_text("# mine\n[features]\nother = true\n")


def without_events(*events: str) -> Callable[[Patient], None]:
    def inject(patient: Patient) -> None:
        patient.edit_hooks(lambda document: [document["hooks"].pop(event) for event in events])
        patient.codex.list_hooks()

    return inject


def old_shape(patient: Patient) -> None:
    patient.edit_hooks(lambda document: document.update(OLD_HOOKS))
    no_hooks(patient, f"failed to parse hooks config {patient.hooks}: unknown field `Stop`")


def user_level(hooks: dict[str, Any] | None) -> Callable[[Patient], None]:
    """Hooks in Codex's home, beside the project's: ours, or others."""

    def inject(patient: Patient) -> None:
        path = patient.codex_home / "hooks.json"
        path.parent.mkdir()
        path.write_text(patient.hooks.read_text("utf-8") if hooks is None else json.dumps(hooks), "utf-8")
        if hooks is None:
            patient.codex.list_hooks(path)

    return inject


def broken_hook(patient: Patient) -> None:
    (patient.data / "hook.pyc").unlink()
    (patient.data / "hook.py").write_text("raise SystemExit(3)\n")


def hook_of_another_make(patient: Patient) -> None:
    """It runs, and writes what no worker of this version reads."""
    spool = 'os.environ["CONNECTOR_SESSION_DIR"] + "/infinium-codex-0"'
    body = f'import os\nos.mkdir({spool})\nopen({spool} + "/infinium-codex-doctor.spool", "w").write("I1 {{}}")\n'
    (patient.data / "hook.pyc").unlink()
    (patient.data / "hook.py").write_text(body)


def loud_hook(patient: Patient) -> None:
    """A definition somebody edited: it still calls our hook, and prints."""
    shell = f"echo hello; python3 -I -S {patient.data}/infinium-codex/hook.py SessionStart"
    patient.edit_hooks(lambda document: document["hooks"]["SessionStart"][0]["hooks"][0].update(command=shell))
    patient.codex.list_hooks()


def dangling(link: str) -> Callable[[Patient], None]:
    def inject(patient: Patient) -> None:
        (patient.data / link).unlink()
        (patient.data / link).symlink_to("/nowhere/at/all")

    return inject


def environment_without_us(patient: Patient) -> None:
    """The environment the connector was installed in is another one now."""
    venv = patient.root / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(shutil.which("true") or "/bin/true")
    (patient.data / "venv").unlink()
    (patient.data / "venv").symlink_to(venv)


def spool_is_a_link(patient: Patient) -> None:
    (patient.root / "elsewhere").mkdir()
    spool_directory(patient.environ).symlink_to(patient.root / "elsewhere")


def on_a_disk(option: str, place: Callable[[Patient], Path]) -> Callable[[Patient], None]:
    """Mount a small disk over a directory, for the doctor alone."""

    def inject(patient: Patient) -> None:
        probe = ["unshare", "-rm", "true"]
        if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True, check=False).returncode:
            pytest.skip("this machine lets nobody mount a disk of their own")
        directory = place(patient)
        directory.mkdir(parents=True, exist_ok=True)
        script = 'mount -t tmpfs -o "$0" none "$1" && shift && exec "$@"'
        patient.prefix = ["unshare", "-rm", "sh", "-c", script, option, str(directory)]

    return inject


def file_in_place(place: Callable[[Patient], Path]) -> Callable[[Patient], None]:
    def inject(patient: Patient) -> None:
        place(patient).parent.mkdir(parents=True, exist_ok=True)
        place(patient).write_text("in the way")

    return inject


def open_to_all(patient: Patient) -> None:
    (patient.state / "outbox").mkdir(parents=True)
    (patient.state / "outbox").chmod(0o755)


def in_this_keyring_alone(patient: Patient) -> None:
    """A keyring that this shell reaches, and a detached process does not: it is started without PYTHONPATH."""
    keyring = patient.root / "keyring.json"
    keyring.write_text(json.dumps({f"infinium-connector/{AGENT}": SECRET}))
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    patient.environ |= {"PYTHONPATH": path, "PYTHON_KEYRING_BACKEND": "keeper.Keeper", "KEEPER": str(keyring)}
    del patient.environ["INFINIUM_AGENT_SECRET"]


def closed_port(patient: Patient) -> None:
    patient.environ["INFINIUM_BASE_URL"] = "http://127.0.0.1:9/v1"


def wrong_clock(patient: Patient) -> None:
    patient.api.answers = [reply(405, b"", f"Date: {formatdate(time.time() + 3600, usegmt=True)}")]


def trace(patient: Patient) -> Envelope:
    key = "0f0e7a52-5f0a-5e9b-8f53-0b7c0a1d2e3f"
    now = time.time()
    return Envelope(key=key, agent_id=AGENT, base_url=patient.api.base_url, body=b"{}", created=now, name="A turn")


def parked(patient: Patient) -> None:
    box = Outbox(patient.state / "outbox")
    box.put(trace(patient))
    box.park(AGENT, "HTTP 401", "", base_url=patient.api.base_url)


def dead(patient: Patient) -> None:
    box = Outbox(patient.state / "outbox")
    box.put(trace(patient))
    box.bury(next(box.pending()), "HTTP 400", 400, "no")


def write_transcript(patient: Patient, session: str, directory: Path | None = None) -> None:
    """A session as Codex writes it down, with a turn that ended."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S.999Z", time.gmtime())
    path = patient.codex_home / "sessions" / "2026" / "11" / "23" / f"rollout-2026-11-23T14-00-00-{session}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = {"id": session, "cwd": str(directory or patient.project), "source": "exec"}
    records = (
        {"timestamp": now, "type": "session_meta", "payload": meta},
        {"timestamp": now, "type": "event_msg", "payload": {"type": "task_complete"}},
    )
    path.write_text("".join(f"{json.dumps(record, separators=(',', ':'))}\n" for record in records), "utf-8")


def untraced(patient: Patient) -> None:
    write_transcript(patient, "01a2088e-5b33-74e3-967f-d035a225aaf9")


def failed(patient: Patient) -> None:
    Ledger(patient.state / "ledger").record_error("worker", "OSError: it broke", when=time.time())


STATE_DISK = on_a_disk("ro", lambda patient: patient.state)
SPOOL_DISK = on_a_disk("size=4k", lambda patient: spool_directory(patient.environ))
FAULTS = (
    Fault(
        name="a Codex without hooks",
        inject=other_codex("0.98.0"),
        check="codex",
        verdict="problem",
        evidence="knows no hooks",
        fix="Update Codex.",
    ),
    Fault(
        name="a Codex that cannot read its configuration",
        inject=lambda patient: patient.codex.refuse("config/read", "config.toml:57:8: unclosed table"),
        check="codex answers",
        verdict="problem",
        evidence="config.toml:57:8: unclosed table",
        fix="mend what it names",
    ),
    Fault(
        name="hooks turned off",
        inject=features_off,
        check="hooks feature",
        verdict="problem",
        evidence="turned off in /home/dev/.codex/config.toml (features.hooks = false)",
        fix="Set it to true there",
    ),
    Fault(
        name="hooks not turned on in an old Codex",
        inject=old_codex_without_flag,
        check="hooks feature",
        verdict="problem",
        evidence="hooks are off in Codex 0.118.0 unless",
        fix="infinium-codex doctor --fix",
        mended=True,
    ),
    Fault(
        name="managed hooks only",
        inject=managed_only,
        check="policy",
        verdict="problem",
        evidence="only managed hooks may run",
        fix="managed-config",
    ),
    Fault(
        name="an untrusted project",
        inject=untrusted_project,
        check="project trusted",
        verdict="problem",
        evidence="Codex does not trust <root>/home/a project",
        fix="say yes to its question, then run 'infinium-codex init --trust'",
    ),
    Fault(
        name="no hooks file",
        inject=lambda patient: patient.hooks.unlink(),
        check="hooks file",
        verdict="problem",
        evidence="has no hook of ours for SessionStart, UserPromptSubmit",
        fix="infinium-codex doctor --fix",
        mended=True,
    ),
    Fault(
        name="a hooks file that is not JSON",
        inject=lambda patient: patient.hooks.write_text('{"hooks": {'),
        check="hooks file",
        verdict="problem",
        evidence="it is not JSON",
        fix="Mend it",
    ),
    Fault(
        name="what the connector 1.1.0 wrote",
        inject=old_shape,
        check="hooks file",
        verdict="problem",
        evidence="has Stop at its top level, as an older connector wrote it: Codex drops the file",
        fix="infinium-codex doctor --fix",
        mended=True,
    ),
    Fault(
        name="no Stop hook",
        inject=without_events("Stop"),
        check="hooks file",
        verdict="problem",
        evidence="has no hook of ours for Stop",
        fix="infinium-codex doctor --fix",
        mended=True,
    ),
    Fault(
        name="no hook for an event of a newer Codex",
        inject=without_events("PreCompact"),
        check="hooks file",
        verdict="warning",
        evidence="has no hook of ours for PreCompact",
        fix="infinium-codex doctor --fix",
        mended=True,
    ),
    Fault(
        name="hooks Codex does not list, for a reason of its own",
        inject=lambda patient: no_hooks(patient, "too many hooks"),
        check="hooks listed",
        verdict="problem",
        evidence="too many hooks",
        fix="see what it says of its hooks",
    ),
    Fault(
        name="untrusted hooks",
        inject=lambda patient: patient.codex.list_hooks(trust="untrusted"),
        check="hooks trusted",
        verdict="problem",
        evidence="Stop (untrusted)",
        fix="infinium-codex init --trust",
    ),
    Fault(
        name="a hook modified since it was trusted",
        inject=lambda patient: patient.codex.list_hooks(Stop={"trustStatus": "modified"}),
        check="hooks trusted",
        verdict="problem",
        evidence="Codex will not run Stop (modified)",
        fix="infinium-codex init --trust",
    ),
    Fault(
        name="a hook disabled in Codex",
        inject=lambda patient: patient.codex.list_hooks(Stop={"enabled": False}),
        check="hooks enabled",
        verdict="problem",
        evidence="disabled in Codex: Stop",
        fix="/hooks",
    ),
    Fault(
        name="a hook disabled that turns can do without",
        inject=lambda patient: patient.codex.list_hooks(PreCompact={"enabled": False}),
        check="hooks enabled",
        verdict="warning",
        evidence="disabled in Codex: PreCompact",
        fix="/hooks",
    ),
    Fault(
        name="ours in two places",
        inject=user_level(None),
        check="duplicates",
        verdict="warning",
        evidence="are registered more than once: <root>/home/.codex/hooks.json, <root>/home/a project/.codex",
        fix="Take ours out of <root>/home/.codex/hooks.json",
    ),
    Fault(
        name="an older connector for the user",
        inject=user_level(OLD_HOOKS),
        check="duplicates",
        verdict="warning",
        evidence="<root>/home/.codex/hooks.json has hooks of an older connector, for Stop",
        fix="Take them out of <root>/home/.codex/hooks.json.",
    ),
    Fault(
        name="no hook program",
        inject=lambda patient: (patient.data / "hook.py").unlink(),
        check="hook program",
        verdict="problem",
        evidence="not there, or leading nowhere: <root>/home/.local/share/infinium-codex/hook.py",
        fix="infinium-codex doctor --fix",
        mended=True,
    ),
    Fault(
        name="a hook program that fails",
        inject=broken_hook,
        check="hook runs",
        verdict="problem",
        evidence="it ran and recorded nothing",
        fix="infinium-codex doctor --fix",
        mended=True,
    ),
    Fault(
        name="a hook program of another make",
        inject=hook_of_another_make,
        check="hook runs",
        verdict="problem",
        evidence="it ran and recorded nothing",
        fix="infinium-codex doctor --fix",
        mended=True,
    ),
    Fault(
        name="a hook that prints",
        inject=loud_hook,
        check="hook runs",
        verdict="problem",
        evidence="it must print nothing and end with 0",
        fix="infinium-codex init",
    ),
    Fault(
        name="an environment that was removed",
        inject=dangling("venv"),
        check="worker",
        verdict="problem",
        evidence="<root>/home/.local/share/infinium-codex/venv/bin/python: No such file or directory",
        fix="infinium-codex doctor --fix",
        mended=True,
    ),
    Fault(
        name="an environment without the connector",
        inject=environment_without_us,
        check="worker",
        verdict="problem",
        evidence="ended without a report",
        fix="infinium-codex doctor --fix",
        mended=True,
    ),
    Fault(
        name="somebody else's spool",
        inject=spool_is_a_link,
        check="spool",
        verdict="problem",
        evidence="is not a directory of your own",
        fix="set CONNECTOR_SESSION_DIR",
    ),
    Fault(
        name="a full disk under the spool",
        inject=SPOOL_DISK,
        check="spool",
        verdict="problem",
        evidence="cannot be written: the disk is full",
        fix="Make room on it, or set CONNECTOR_SESSION_DIR.",
    ),
    Fault(
        name="a read-only disk under the outbox",
        inject=STATE_DISK,
        check="outbox",
        verdict="problem",
        evidence="cannot be written: it is on a read-only file system",
        fix="Mount it writable, or set XDG_STATE_HOME.",
    ),
    Fault(
        name="a file where the ledger belongs",
        inject=file_in_place(lambda patient: patient.state / "ledger"),
        check="ledger",
        verdict="problem",
        evidence="something that is no directory is in its place",
        fix="Move that aside",
    ),
    Fault(
        name="an outbox others may read",
        inject=open_to_all,
        check="outbox",
        verdict="warning",
        evidence="others may look into it",
        fix="infinium-codex doctor --fix",
        mended=True,
    ),
    Fault(
        name="no secret",
        inject=lambda patient: patient.environ.pop("INFINIUM_AGENT_SECRET"),
        check="secret",
        verdict="problem",
        evidence="the system keyring cannot be used",
        fix="set INFINIUM_AGENT_SECRET",
    ),
    Fault(
        name="a keyring only this shell reaches",
        inject=in_this_keyring_alone,
        check="secret for the worker",
        verdict="problem",
        evidence="a detached process: the system keyring cannot be used",
        fix="set INFINIUM_AGENT_SECRET",
    ),
    Fault(
        name="an address nobody approved",
        inject=lambda patient: patient.edit_config(base_url="https://elsewhere.example/v1"),
        check="address",
        verdict="problem",
        evidence="https://elsewhere.example/v1 was never approved",
        fix="infinium-codex update-credentials --base-url https://elsewhere.example/v1",
    ),
    Fault(
        name="a project file nobody can read",
        inject=lambda patient: patient.config.write_text("{"),
        check="settings",
        verdict="problem",
        evidence="is not JSON",
        fix="Mend the file",
    ),
    Fault(
        name="a project that was not set up",
        inject=lambda patient: patient.config.unlink(),
        check="settings",
        verdict="problem",
        evidence="is not set up",
        fix="infinium-codex init",
    ),
    Fault(
        name="a variable that cannot be used",
        inject=lambda patient: patient.environ.update(INFINIUM_TIMEOUT="abc"),
        check="settings",
        verdict="warning",
        evidence="INFINIUM_TIMEOUT='abc' cannot be used",
        fix="Mend it",
    ),
    Fault(
        name="no agent",
        inject=lambda patient: patient.edit_config(agent_id=None),
        check="agent",
        verdict="problem",
        evidence="no agent id is set",
        fix="infinium-codex init",
    ),
    Fault(
        name="paused",
        inject=lambda patient: patient.edit_config(paused=True),
        check="recording",
        verdict="problem",
        evidence="paused in <root>/home/a project/.infinium/config.json: nothing is recorded",
        fix="infinium-codex resume",
    ),
    Fault(
        name="neither turns nor sessions",
        inject=lambda patient: patient.environ.update(CONNECTOR_FLUSH_ON_STOP="false"),
        check="recording",
        verdict="problem",
        evidence="both are off (CONNECTOR_FLUSH_ON_STOP, <root>/home/a project/.infinium/config.json)",
        fix="infinium-codex init --granularity turn",
    ),
    Fault(
        name="nobody at the address",
        inject=closed_port,
        check="api",
        verdict="problem",
        evidence="no answer to GET http://127.0.0.1:9/v1",
        fix="Check the address",
        options=("--online",),
    ),
    Fault(
        name="a redirect at the address",
        inject=lambda patient: setattr(patient.api, "answers", [reply(302, b"", "Location: https://elsewhere/")]),
        check="api",
        verdict="problem",
        evidence="HTTP 302, a redirect, which is not followed",
        fix="infinium-codex init --base-url",
        options=("--online",),
    ),
    Fault(
        name="a wrong clock",
        inject=wrong_clock,
        check="clock",
        verdict="warning",
        evidence="s behind the API's",
        fix="Set the clock",
        options=("--online",),
    ),
    Fault(
        name="refused credentials",
        inject=parked,
        check="waiting",
        verdict="problem",
        evidence="1 in the outbox, 0 dead letters; 1 of agent",
        fix="infinium-codex update-credentials",
    ),
    Fault(
        name="a dead letter",
        inject=dead,
        check="waiting",
        verdict="warning",
        evidence="0 in the outbox, 1 dead letters",
        fix="infinium-codex retry --dead",
    ),
    Fault(
        name="an error",
        inject=failed,
        check="last error",
        verdict="warning",
        evidence="OSError: it broke",
        fix="infinium-codex errors",
    ),
    Fault(
        name="a session of which there is no trace",
        inject=untraced,
        check="sessions",
        verdict="warning",
        evidence="Codex had 1 of 1 sessions here that we know nothing of",
        fix="hooks trusted",
    ),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_named(patient: Patient, fault: Fault) -> None:
    """On a machine that is well but for this: see `test_all_is_well`."""
    fault.inject(patient)
    found = patient.examine(*fault.options)
    check = checks(found)[fault.check]
    assert check["verdict"] == fault.verdict, check
    assert fault.evidence in told(patient, check["evidence"])
    assert fault.fix in told(patient, check["fix"])
    problems = [one["name"] for one in found["checks"] if one["verdict"] == "problem"]
    assert (fault.check in problems) is (fault.verdict == "problem")
    assert found["exit_code"] == (1 if problems else 0)
    if fault.verdict == "warning":
        assert problems == []
    if fault.mended:
        again = patient.examine("--fix")
        assert again["mended"]
        assert checks(again)[fault.check]["verdict"] == "ok"


# No Codex in this shell


def test_without_codex_nobody_can_tell(patient: Patient) -> None:
    """An image of a pipeline: all is set up, and whether a Codex there will run our hooks is anybody's guess."""
    patient.codex.program.unlink()
    done = patient.run("doctor")
    assert done.returncode == 3
    assert done.stdout.splitlines()[-1].startswith("Whether traces will flow cannot be told: no Codex was seen.")
    found = patient.examine()
    assert (found["ok"], found["flow"], found["exit_code"]) == (False, "unknown", 3)
    check = checks(found)["codex"]
    assert check["verdict"] == "unknown"
    assert check["evidence"].startswith("no 'codex' on PATH, and nothing was traced here lately")
    assert "Install Codex" in check["fix"]
    patient.edit_config(paused=True)
    found = patient.examine()
    assert (found["flow"], found["exit_code"]) == ("no", 1)


def ephemeral(patient: Patient) -> None:
    """Codex wrote no transcript: the worker remembers where the session was."""
    trace_a_turn(patient)


def written_down(patient: Patient) -> None:
    """The temp directory was emptied since: Codex remembers."""
    write_transcript(patient, trace_a_turn(patient))
    shutil.rmtree(spool_directory(patient.environ))


@pytest.mark.parametrize("ran", [ephemeral, written_down])
def test_a_codex_this_shell_does_not_find_shows_in_what_it_had_traced(
    patient: Patient, ran: Callable[[Patient], None]
) -> None:
    """A desktop application starts its own, by its path."""
    ran(patient)
    patient.codex.program.unlink()
    found = patient.examine()
    assert (found["ok"], found["flow"], found["exit_code"]) == (True, "yes", 0)
    check = checks(found)["codex"]
    assert check["verdict"] == "warning"
    assert check["evidence"].startswith("no 'codex' on PATH, but a session here was traced 20")
    assert check["fix"].endswith("PATH=/the/directory/of/codex:$PATH infinium-codex doctor")


def before_the_hooks_changed(patient: Patient) -> None:
    trace_a_turn(patient)
    os.utime(patient.hooks, (time.time() + 1, time.time() + 1))


def in_another_project(patient: Patient) -> None:
    session = trace_a_turn(patient)
    (patient.home / "other" / ".git").mkdir(parents=True)
    write_transcript(patient, session, patient.home / "other")
    shutil.rmtree(spool_directory(patient.environ))


def long_ago(patient: Patient) -> None:
    session = trace_a_turn(patient)
    write_transcript(patient, session)
    for path in (patient.hooks, patient.config):
        os.utime(path, (1, 1))
    log = next(path for path in (patient.state / "ledger").iterdir() if path.is_file())
    entries = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    log.write_text("".join(json.dumps(entry | {"when": entry["when"] - 8 * 86_400}) + "\n" for entry in entries))


@pytest.mark.parametrize("ran", [before_the_hooks_changed, in_another_project, long_ago])
def test_what_was_traced_otherwise_shows_nothing(patient: Patient, ran: Callable[[Patient], None]) -> None:
    ran(patient)
    patient.codex.program.unlink()
    assert patient.examine()["flow"] == "unknown"


def test_without_codex_our_hooks_stay_as_they_are(patient: Patient) -> None:
    """They were made for a Codex this shell does not find: another definition would lose the trust they have."""
    before = patient.hooks.read_bytes()
    assert b"async" in before
    patient.codex.program.unlink()
    assert checks(patient.examine("--fix"))["hooks file"]["verdict"] == "ok"
    done = patient.run("init", "--no-interactive", "--agent-id", AGENT, "--base-url", patient.api.base_url)
    assert done.returncode == 0, done.stderr
    assert patient.hooks.read_bytes() == before


def test_one_cause_is_told_once(patient: Patient) -> None:
    """What only follows from another fault is not counted as a fault of its own."""
    untrusted_project(patient)
    found = patient.examine()
    assert [one["name"] for one in found["checks"] if one["verdict"] == "problem"] == ["project trusted"]
    assert checks(found)["hooks listed"]["evidence"] == "see 'project trusted'"


def test_a_test_trace_kept_on_this_machine_is_no_sign_that_an_error_is_over(patient: Patient) -> None:
    failed(patient)
    assert patient.run("test", environ={"INFINIUM_BASE_URL": "local"}).returncode == 0
    found = checks(patient.examine())
    assert "Test trace of infinium-codex, to local" in found["last trace"]["evidence"]
    assert found["last error"]["verdict"] == "warning"


def test_fixing_gives_no_trust_and_keeps_the_users_hooks(patient: Patient) -> None:
    own = {"hooks": [{"type": "command", "command": "mine"}]}
    patient.codex.list_hooks(trust="untrusted")  # as it will be once ours are there again
    patient.edit_hooks(lambda document: document.update(hooks={"Stop": [own]}))
    assert f"hooks file: {patient.hooks}: 12 added" in patient.examine("--fix")["mended"]
    patient.codex.list_hooks(trust="untrusted")
    done = patient.run("doctor", "--fix")
    assert done.returncode == 1
    assert "Run 'infinium-codex init --trust'" in done.stdout
    assert "hooks/list" in [question["method"] for question in patient.codex.asked]
    assert "trusted_hash" not in json.dumps(patient.codex.asked)
    stop = json.loads(patient.hooks.read_text("utf-8"))["hooks"]["Stop"]
    assert stop[0] == own
    assert "/infinium-codex/hook.py" in stop[1]["hooks"][0]["command"]


def test_fixing_what_is_well_changes_nothing(patient: Patient) -> None:
    patient.examine("--fix")  # makes the directories that are made when they are needed
    before = patient.files()
    assert patient.examine("--fix")["mended"] == []
    assert patient.files() == before


def test_hooks_that_run_from_the_users_file_are_enough(patient: Patient) -> None:
    """The project's own are missing, and traces flow all the same: the exit code tells no more than that."""
    user_level(None)(patient)
    patient.hooks.unlink()
    patient.codex.list_hooks(patient.codex_home / "hooks.json")
    found = patient.examine()
    assert found["exit_code"] == 0
    assert checks(found)["hooks file"]["verdict"] == "warning"


@pytest.fixture
def daemon(patient: Patient) -> Iterator[Callable[[dict[str, str]], None]]:
    """Starts Codex's daemon, with an environment of its own."""
    running: list[subprocess.Popen[bytes]] = []

    def start(environ: dict[str, str]) -> None:
        command = [str(patient.codex.program), "app-server", "--listen", "unix://", "--managed-daemon"]
        running.append(subprocess.Popen(command, env=environ, stdin=subprocess.PIPE))

    yield start
    for process in running:
        process.communicate(timeout=30)


def test_variables_the_daemon_has_not(patient: Patient, daemon: Callable[[dict[str, str]], None]) -> None:
    """The names of what differs are told; no value is, and what two shells may differ in is no fault."""
    theirs = {name: value for name, value in patient.environ.items() if name != "INFINIUM_AGENT_SECRET"}
    daemon(theirs | {"CONNECTOR_QUIET": "true", "TMPDIR": "/elsewhere-4711", "PATH": "/usr/bin"})
    found = patient.examine()
    check = checks(found)["daemon"]
    assert check["verdict"] == "warning"
    assert "daemon restart" in check["fix"]
    assert check["evidence"].partition("which has other variables: ")[2] == (
        "CONNECTOR_QUIET (only there), INFINIUM_AGENT_SECRET (only here), TMPDIR (another value)"
    )
    status = patient.run("status").stdout
    assert "daemon                   Codex's (process " in status
    assert "INFINIUM_AGENT_SECRET (only here)" in status
    for text in (json.dumps(found), status):
        assert SECRET not in text
        assert "4711" not in text


def test_a_daemon_with_the_same_variables(patient: Patient, daemon: Callable[[dict[str, str]], None]) -> None:
    daemon(patient.environ | {"PATH": "/usr/bin"})
    check = checks(patient.examine())["daemon"]
    assert "Codex's (process" not in patient.run("status").stdout
    assert check["verdict"] == "ok"
    assert check["evidence"].endswith("has the same variables, but for PATH (another value)")


@pytest.mark.parametrize("elsewhere", ["another project", "a checkout inside this one"])
def test_sessions_of_other_projects_are_none_of_ours(patient: Patient, elsewhere: str) -> None:
    directory = patient.home / "other" if elsewhere == "another project" else patient.project / "vendored"
    (directory / ".git").mkdir(parents=True)
    write_transcript(patient, "01a2088e-5b33-74e3-967f-d035a225aaf9", directory)
    assert checks(patient.examine())["sessions"] == {
        "name": "sessions",
        "verdict": "ok",
        "evidence": "none yet",
        "fix": "",
    }


def test_sessions_from_before_tracing_was_resumed_are_none_of_ours(patient: Patient) -> None:
    patient.run("pause")
    untraced(patient)
    time.sleep(1.1)  # a transcript's times, as written here, are whole seconds
    patient.run("resume")
    for transcript in (patient.codex_home / "sessions").rglob("*.jsonl"):
        transcript.touch()  # Codex still writes to it
    assert checks(patient.examine())["sessions"]["verdict"] == "ok"


def test_hooks_an_administrator_manages(patient: Patient) -> None:
    """They have a home of their own, need no file in the project and no trust, and `--fix` makes none."""
    patient.hooks.unlink()
    directory = patient.root / "opt" / "infinium-codex"
    made = patient.run("managed-config", "--directory", str(directory), "--prepare", "--json")
    groups = json.loads(made.stdout)["requirements"]["hooks"]
    listed = patient.root / "requirements.json"
    listed.write_text(json.dumps({"hooks": {event: groups[event] for event in groups if event != "managed_dir"}}))
    patient.codex.list_hooks(listed, trust="managed")
    patient.codex.answer("configRequirements/read", {"requirements": {"allowManagedHooksOnly": True}})
    shutil.rmtree(patient.data)
    found = patient.examine("--fix")
    assert found["exit_code"] == 0, [one for one in found["checks"] if one["verdict"] == "problem"]
    assert checks(found)["hook program"]["evidence"] == f"{directory} is your administrator's"
    assert not patient.hooks.exists()
    assert not patient.data.exists()
    (directory / "hook.py").unlink()
    assert "managed-config --prepare" in checks(patient.examine())["hook program"]["fix"]
