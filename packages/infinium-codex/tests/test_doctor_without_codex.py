"""`doctor` in a shell that finds no Codex: it infers from earlier sessions whether traces are sent."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from doctor_machine import AGENT, HealthyMachine, checks, healthy_machine
from infinium_codex.support.paths import spool_directory

pytest_plugins = ["no_leftovers"]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[HealthyMachine]:
    with healthy_machine(tmp_path) as machine:
        yield machine


def test_without_codex_and_sessions_the_result_is_unknown(machine: HealthyMachine) -> None:
    """In a container image, everything may be set up before Codex is installed. Another problem still counts."""
    machine.codex.program.unlink()
    done = machine.run("doctor")
    assert done.returncode == 3
    assert done.stdout.splitlines()[-1].startswith("Unknown whether traces will be sent: Codex was not found.")
    report = machine.examine()
    assert (report["ok"], report["flow"], report["exit_code"]) == (False, "unknown", 3)
    check = checks(report)["codex"]
    assert check["verdict"] == "unknown"
    assert check["evidence"].startswith("No 'codex' on PATH, and no session was traced here")
    assert "Install Codex" in check["fix"]
    machine.edit_config(paused=True)
    report = machine.examine()
    assert (report["flow"], report["exit_code"]) == ("no", 1)


def without_transcript(machine: HealthyMachine) -> None:
    """The worker's own record names the session's directory."""
    machine.trace_a_turn()


def without_spool(machine: HealthyMachine) -> None:
    """The temp directory was emptied; the transcript names the session's directory."""
    machine.write_transcript(machine.trace_a_turn())
    shutil.rmtree(spool_directory(machine.environ))


@pytest.mark.parametrize("run_session", [without_transcript, without_spool])
def test_recent_trace_shows_that_codex_runs_our_hooks(
    machine: HealthyMachine, run_session: Callable[[HealthyMachine], None]
) -> None:
    """A desktop application starts a Codex that is not on PATH."""
    run_session(machine)
    machine.codex.program.unlink()
    report = machine.examine()
    assert (report["ok"], report["flow"], report["exit_code"]) == (True, "yes", 0)
    check = checks(report)["codex"]
    assert check["verdict"] == "warning"
    assert check["evidence"].startswith("No 'codex' on PATH, but a session was traced here at 20")
    assert check["fix"].endswith("run 'PATH=/directory/of/codex:$PATH infinium-codex doctor'.")


def before_the_hooks_changed(machine: HealthyMachine) -> None:
    machine.trace_a_turn()
    os.utime(machine.hooks, (time.time() + 1, time.time() + 1))


def in_another_project(machine: HealthyMachine) -> None:
    session = machine.trace_a_turn()
    (machine.home / "other" / ".git").mkdir(parents=True)
    machine.write_transcript(session, machine.home / "other")
    shutil.rmtree(spool_directory(machine.environ))


def long_ago(machine: HealthyMachine) -> None:
    session = machine.trace_a_turn()
    machine.write_transcript(session)
    for path in (machine.hooks, machine.config):
        os.utime(path, (1, 1))
    log = next(path for path in (machine.state / "ledger").iterdir() if path.is_file())
    entries = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    log.write_text("".join(json.dumps(entry | {"when": entry["when"] - 8 * 86_400}) + "\n" for entry in entries))


@pytest.mark.parametrize("run_session", [before_the_hooks_changed, in_another_project, long_ago])
def test_other_traces_show_nothing(machine: HealthyMachine, run_session: Callable[[HealthyMachine], None]) -> None:
    """A session does not count if its hooks, its project or its time are not those of now."""
    run_session(machine)
    machine.codex.program.unlink()
    assert machine.examine()["flow"] == "unknown"


def test_without_codex_the_registered_hooks_stay(machine: HealthyMachine) -> None:
    """They were written for a Codex that this shell does not find; another definition would lose their trust."""
    before = machine.hooks.read_bytes()
    assert b"async" in before
    machine.codex.program.unlink()
    assert checks(machine.examine("--fix"))["hooks file"]["verdict"] == "ok"
    done = machine.run("init", "--no-interactive", "--agent-id", AGENT, "--base-url", machine.api.base_url)
    assert done.returncode == 0, done.stderr
    assert machine.hooks.read_bytes() == before
