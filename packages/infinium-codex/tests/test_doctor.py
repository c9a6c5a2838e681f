"""`doctor` on a healthy machine, and with one thing broken at a time (the table in `doctor_faults.py`).

Codex is `FakeCodex` here, with answers recorded from 0.169.0; `e2e/test_doctor_with_codex.py` runs the real one.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from doctor_faults import FAULTS, FIX, PROBLEM, WARNING, Fault
from doctor_injectors import same_hooks_for_the_user, session_without_trace, untrusted_project, worker_failed
from doctor_machine import SECRET, HealthyMachine, checks, healthy_machine, problems
from infinium_codex.capture.hook_command import is_our_command
from syrupy.assertion import SnapshotAssertion

pytest_plugins = ["no_leftovers"]
Start = Callable[[dict[str, str]], None]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[HealthyMachine]:
    with healthy_machine(tmp_path) as machine:
        yield machine


def test_report_of_a_healthy_machine(machine: HealthyMachine, snapshot: SnapshotAssertion) -> None:
    done = machine.run("doctor", "--online")
    assert done.returncode == 0, done.stderr
    assert machine.without_paths(done.stdout) == snapshot


def test_report_of_a_healthy_machine_as_json(machine: HealthyMachine, snapshot: SnapshotAssertion) -> None:
    done = machine.run("doctor", "--online", "--json")
    assert machine.without_paths(done.stdout) == snapshot


def test_doctor_writes_nothing_and_sends_one_get_request(machine: HealthyMachine) -> None:
    """Only `--online` sends a request, a GET without the secret."""
    before = machine.modification_times()
    machine.examine()
    assert machine.modification_times() == before
    assert machine.api.requests == []
    machine.examine("--online")
    assert [headers[""].split()[0] for headers, _ in machine.api.requests] == ["GET"]
    assert SECRET not in repr(machine.api.requests)


def test_traced_turn_is_reported(machine: HealthyMachine) -> None:
    """After a turn, its trace is the last trace, and its session does not count as one without a trace."""
    machine.write_transcript(machine.trace_a_turn())
    report = checks(machine.examine())
    assert report["last trace"]["evidence"].endswith(f"to {machine.api.base_url}")
    assert report["sessions"]["verdict"] == "ok"
    assert report["sessions"]["evidence"].startswith("1 session since ")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_is_reported(machine: HealthyMachine, fault: Fault) -> None:
    """The check reports the fault; the exit code is 1 if any check is a problem; `--fix` fixes what it offers to."""
    fault.inject(machine)
    report = machine.examine(*fault.options)
    check = checks(report)[fault.check]
    assert check["verdict"] == fault.verdict, check
    assert fault.evidence in machine.without_paths(check["evidence"])
    assert fault.fix in machine.without_paths(check["fix"])
    found = problems(report)
    assert (fault.check in found) is (fault.verdict == PROBLEM)
    assert report["exit_code"] == (1 if found else 0)
    if fault.verdict == WARNING:
        assert found == []
    if fault.fix == FIX:
        again = machine.examine("--fix")
        assert again["fixed"]
        assert checks(again)[fault.check]["verdict"] == "ok"


def test_consequences_of_a_problem_are_no_problems(machine: HealthyMachine) -> None:
    """A check that fails because of another one refers to it."""
    untrusted_project(machine)
    report = machine.examine()
    assert problems(report) == ["project trusted"]
    assert checks(report)["hooks listed"]["evidence"] == "See 'project trusted'."


def test_local_test_trace_does_not_clear_the_last_error(machine: HealthyMachine) -> None:
    """A test trace that never left the machine does not prove that traces are sent again."""
    worker_failed(machine)
    assert machine.run("test", environ={"INFINIUM_BASE_URL": "local"}).returncode == 0
    report = checks(machine.examine())
    assert "Test trace of infinium-codex, to local" in report["last trace"]["evidence"]
    assert report["last error"]["verdict"] == "warning"


def test_fix_trusts_no_hook_and_keeps_the_users_hooks(machine: HealthyMachine) -> None:
    """Trusting hooks is the user's decision: `--fix` only says how to do it."""
    own = {"hooks": [{"type": "command", "command": "mine"}]}
    machine.codex.list_hooks(trust="untrusted")  # Codex's answer once our hooks are back
    machine.edit_hooks(lambda document: document.update(hooks={"Stop": [own]}))
    assert f"hooks file: {machine.hooks}: 12 added" in machine.examine("--fix")["fixed"]
    machine.codex.list_hooks(trust="untrusted")
    done = machine.run("doctor", "--fix")
    assert done.returncode == 1
    assert "Run 'infinium-codex init --trust'" in done.stdout
    assert "hooks/list" in [question["method"] for question in machine.codex.asked]
    assert "trusted_hash" not in json.dumps(machine.codex.asked)
    stop = json.loads(machine.hooks.read_text("utf-8"))["hooks"]["Stop"]
    assert stop[0] == own
    assert is_our_command(stop[1]["hooks"][0]["command"])


def test_fix_on_a_healthy_machine_changes_nothing(machine: HealthyMachine) -> None:
    machine.examine("--fix")  # creates the directories that are created on demand
    before = machine.modification_times()
    assert machine.examine("--fix")["fixed"] == []
    assert machine.modification_times() == before


def test_user_level_hooks_replace_missing_project_hooks(machine: HealthyMachine) -> None:
    """Traces are sent without the project's hooks then, so their absence is only a warning."""
    same_hooks_for_the_user(machine)
    machine.hooks.unlink()
    machine.codex.list_hooks(machine.codex_home / "hooks.json")
    report = machine.examine()
    assert report["exit_code"] == 0
    assert checks(report)["hooks file"]["verdict"] == "warning"


@pytest.fixture
def start_daemon(machine: HealthyMachine) -> Iterator[Start]:
    """Starts Codex's daemon with the given environment."""
    running: list[subprocess.Popen[bytes]] = []

    def start(environ: dict[str, str]) -> None:
        command = [str(machine.codex.program), "app-server", "--listen", "unix://", "--managed-daemon"]
        running.append(subprocess.Popen(command, env=environ, stdin=subprocess.PIPE))

    yield start
    for process in running:
        process.communicate(timeout=30)


def test_daemon_with_other_variables(machine: HealthyMachine, start_daemon: Start) -> None:
    """The report names the variables that differ, without values; it ignores those that differ between shells."""
    environ = {name: value for name, value in machine.environ.items() if name != "INFINIUM_AGENT_SECRET"}
    start_daemon(environ | {"CONNECTOR_QUIET": "true", "TMPDIR": "/elsewhere-4711", "PATH": "/usr/bin"})
    report = machine.examine()
    check = checks(report)["daemon"]
    assert check["verdict"] == "warning"
    assert "daemon restart" in check["fix"]
    assert check["evidence"].partition("has other variables: ")[2] == (
        "CONNECTOR_QUIET (set only in the daemon), INFINIUM_AGENT_SECRET (set only in this shell), "
        "TMPDIR (different value)."
    )
    status = machine.run("status").stdout
    assert "Codex's daemon (process " in status
    assert "INFINIUM_AGENT_SECRET (set only in this shell)" in status
    for text in (json.dumps(report), status):
        assert SECRET not in text
        assert "4711" not in text


def test_daemon_with_the_same_variables(
    machine: HealthyMachine, start_daemon: Callable[[dict[str, str]], None]
) -> None:
    start_daemon(machine.environ | {"PATH": "/usr/bin"})
    check = checks(machine.examine())["daemon"]
    assert "Codex's daemon (process" not in machine.run("status").stdout
    assert check["verdict"] == "ok"
    assert check["evidence"].endswith("has the same variables, except PATH (different value).")


@pytest.mark.parametrize("elsewhere", ["another project", "a checkout inside this one"])
def test_sessions_of_other_projects_do_not_count(machine: HealthyMachine, elsewhere: str) -> None:
    directory = machine.home / "other" if elsewhere == "another project" else machine.project / "vendored"
    (directory / ".git").mkdir(parents=True)
    machine.write_transcript("01a2088e-5b33-74e3-967f-d035a225aaf9", directory)
    assert checks(machine.examine())["sessions"] == {
        "name": "sessions",
        "verdict": "ok",
        "evidence": "None yet.",
        "fix": "",
    }


def test_sessions_while_paused_do_not_count(machine: HealthyMachine) -> None:
    machine.run("pause")
    session_without_trace(machine)
    time.sleep(1.1)  # times in this transcript are whole seconds
    machine.run("resume")
    for transcript in (machine.codex_home / "sessions").rglob("*.jsonl"):
        transcript.touch()  # as if Codex still wrote to it
    assert checks(machine.examine())["sessions"]["verdict"] == "ok"


def test_managed_hooks(machine: HealthyMachine) -> None:
    """An administrator's hooks have a home of their own and need no project file and no trust; `--fix` adds none."""
    machine.hooks.unlink()
    directory = machine.root / "opt" / "infinium-codex"
    made = machine.run("managed-config", "--directory", str(directory), "--prepare", "--json")
    groups = json.loads(made.stdout)["requirements"]["hooks"]
    listed = machine.root / "requirements.json"
    listed.write_text(json.dumps({"hooks": {event: groups[event] for event in groups if event != "managed_dir"}}))
    machine.codex.list_hooks(listed, trust="managed")
    machine.codex.answer("configRequirements/read", {"requirements": {"allowManagedHooksOnly": True}})
    shutil.rmtree(machine.data)
    report = machine.examine("--fix")
    assert report["exit_code"] == 0, problems(report)
    assert checks(report)["hook program"]["evidence"] == f"{directory} is managed by your administrator."
    assert not machine.hooks.exists()
    assert not machine.data.exists()
    (directory / "hook.py").unlink()
    assert "managed-config --prepare" in checks(machine.examine())["hook program"]["fix"]
