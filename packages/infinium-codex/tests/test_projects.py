"""`status`, `history` and `errors` are about the project they are called in; `--all` shows every project."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from infinium_transport import Envelope, Ledger, Outbox
from machine import Machine

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Two projects, `a project` and `other`, with one local trace each."""
    machine = Machine(tmp_path)
    other = machine.home / "other"
    (other / ".git").mkdir(parents=True)
    for project in (machine.project, other):
        for command in (("init", "--local", "--no-interactive"), ("test",)):
            assert machine.run(*command, cwd=project).returncode == 0
    return machine


def read(machine: Machine, *arguments: str, cwd: Path | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(machine.run(*arguments, "--json", cwd=cwd).stdout)
    return found


def roots(found: dict[str, Any]) -> list[str]:
    return sorted(Path(trace["root"]).name for trace in found["traces"])


def test_history_is_of_this_project(machine: Machine) -> None:
    below = machine.project / "src"
    below.mkdir()
    assert roots(read(machine, "history")) == ["a project"]
    assert roots(read(machine, "history", cwd=below)) == ["a project"]
    assert roots(read(machine, "history", cwd=machine.home / "other")) == ["other"]
    assert roots(read(machine, "history", "--all")) == ["a project", "other"]
    assert "Other projects: 1 trace." in machine.run("history").stdout
    assert "No traces of" in machine.run("history", cwd=machine.home).stdout


def test_errors_are_of_this_project_or_of_none(machine: Machine) -> None:
    ledger = Ledger(machine.state / "ledger")
    for message, labels in (
        ("here", {"directory": str(machine.project / "src")}),
        ("there", {"directory": str(machine.home / "other")}),
        ("anywhere", {}),
    ):
        ledger.record_error("worker", message, when=time.time(), labels=labels)
    assert machine.errors() == ["anywhere", "here"]
    assert [error["message"] for error in read(machine, "errors", "--all")["errors"]] == ["anywhere", "there", "here"]
    assert "Other projects: 1 error." in machine.run("errors").stdout


def test_errors_of_an_agent_are_those_of_its_projects(machine: Machine) -> None:
    """The delivery's errors name the agent. Its projects are those set up for it now, and those with its traces."""
    machine.must_run("config", "set", "agent_id", AGENT)
    ledger = Ledger(machine.state / "ledger")
    ledger.record_error("api", "connection refused", when=time.time(), labels={"agent": AGENT})
    assert machine.errors() == ["connection refused"]
    assert "connection refused" in machine.run("status").stdout
    other = machine.home / "other"
    assert read(machine, "errors", cwd=other)["errors"] == []
    assert "connection refused" not in machine.run("status", cwd=other).stdout
    sent = Envelope(
        key="00000000-0000-5000-8000-000000000001",
        agent_id=AGENT,
        base_url="https://x.example/v1",
        body=b"{}",
        created=0.0,
        name="x",
        labels={"root": str(other)},
    )
    ledger.record_sent(sent, None, when=time.time())
    assert [error["message"] for error in read(machine, "errors", cwd=other)["errors"]] == ["connection refused"]


def test_status_counts_the_queue_of_this_project(machine: Machine) -> None:
    outbox = Outbox(machine.state / "outbox")
    for number, root in enumerate((machine.project, machine.home / "other", machine.home / "other")):
        outbox.put(
            Envelope(
                key=f"00000000-0000-5000-8000-{number:012d}",
                agent_id=AGENT,
                base_url="https://x.example/v1",
                body=b"{}",
                created=time.time(),
                name="x",
                labels={"root": str(root), "project": root.name},
            )
        )
    found = read(machine, "status")
    assert found["waiting"] == 1
    assert found["other_projects"] == [{"project": str(machine.home / "other"), "traces": 2}]
    assert "other projects" in machine.run("status").stdout
    assert f"{machine.home}/other: 2 traces" in machine.run("status", "--all").stdout
    assert read(machine, "status", "--all")["waiting"] == 3


def test_status_begins_with_project_hooks_and_delivery(machine: Machine) -> None:
    lines = machine.run("status").stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["project", "hooks", "delivery"]


def test_clear_asks_and_deletes_this_projects_traces_only(machine: Machine) -> None:
    """The entries, the copies and the local traces are gone from the disk; errors and other projects stay."""
    Ledger(machine.state / "ledger").record_error("worker", "stays", when=time.time())
    [key] = [trace["key"] for trace in read(machine, "history")["traces"]]
    refused = machine.run("history", "--clear")
    assert (refused.returncode, refused.stderr) == (2, "Not interactive; pass --yes.\n")
    assert machine.run("history", "--clear", "--yes").returncode == 0
    assert read(machine, "history")["traces"] == []
    assert roots(read(machine, "history", "--all")) == ["other"]
    assert machine.errors() == ["stays"]
    assert [path for path, data in machine.contents().items() if key in path.name or key.encode() in data] == []


@pytest.mark.parametrize(
    "arguments",
    [
        *(("history", "-n", number) for number in ("0", "-1", "1.5", "x")),
        ("errors", "--count", "0"),
        ("logs", "--count=-3"),
        *(("cleanup", "--days", number) for number in ("-1", "x")),
    ],
    ids=" ".join,
)
def test_bad_numbers_are_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """One sentence that names the option; nothing is removed."""
    done = Machine(tmp_path).run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert arguments[1].partition("=")[0] in done.stderr


def test_times_are_local_and_say_so(machine: Machine) -> None:
    for arguments in (("history",), ("status",), ("doctor",)):
        shown = machine.run(*arguments, environ={"TZ": "America/St_Johns"}).stdout
        assert " -03:30" in shown or " -02:30" in shown
