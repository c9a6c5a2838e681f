"""What differs on macOS, each difference faked where it reaches the connector."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from infinium_codex.capture.hook_command import hook_command
from infinium_codex.codex.daemon import find_daemon
from infinium_codex.codex.program import CodexProgram
from infinium_codex.codex.settings import codex_settings
from infinium_codex.doctor.worker import fix_for_worker
from infinium_codex.doctor.worker_process import WorkerReport
from infinium_codex.support.paths import spool_directory
from infinium_codex.support.processes import is_held_open
from machine import Machine

SOURCES = Path(__file__).parents[1] / "src" / "infinium_codex"


# Processes: there is no /proc


def test_nothing_reads_proc() -> None:
    found = [path.name for path in SOURCES.rglob("*.py") if re.search(r"/proc\b", path.read_text("utf-8"))]
    assert found == []


class Opened(NamedTuple):
    path: str


class FakeProcess:
    """A process as psutil shows it on macOS, where it may refuse any question."""

    def __init__(
        self, pid: int, arguments: list[str], environ: Mapping[str, str] | None = None, opened: str | None = None
    ) -> None:
        self.pid, self._arguments, self._environ, self._opened = pid, arguments, environ, opened

    def username(self) -> str:
        return psutil.Process(os.getpid()).username()

    def cmdline(self) -> list[str]:
        if not self._arguments:
            raise psutil.ZombieProcess(self.pid)
        return self._arguments

    def environ(self) -> Mapping[str, str]:
        if self._environ is None:
            raise psutil.AccessDenied(self.pid)
        return self._environ

    def open_files(self) -> list[Opened]:
        if self._opened is None:
            raise psutil.AccessDenied(self.pid)
        return [Opened(self._opened)]


DAEMON = ["/opt/homebrew/bin/codex", "app-server", "--listen", "unix://", "--managed-daemon"]


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> list[FakeProcess]:
    """The processes that psutil tells of."""
    processes: list[FakeProcess] = []
    real = psutil.Process

    def process(pid: int | None = None) -> object:
        return next((one for one in processes if one.pid == pid), None) or real(pid)

    monkeypatch.setattr(psutil, "process_iter", lambda: iter(processes))
    monkeypatch.setattr(psutil, "Process", process)
    return processes


def test_the_daemon_is_found_without_proc(running: list[FakeProcess], tmp_path: Path) -> None:
    """Processes that end or refuse to answer are passed over."""
    theirs = {"CODEX_HOME": str(tmp_path), "CONNECTOR_QUIET": "1"}
    running += [FakeProcess(2_000_001, []), FakeProcess(2_000_002, DAEMON), FakeProcess(2_000_003, DAEMON, theirs)]
    found = find_daemon({"CODEX_HOME": str(tmp_path)})
    assert found is not None
    assert (found.pid, found.differs) == (2_000_003, ("CONNECTOR_QUIET (set only in the daemon)",))


def test_a_daemon_whose_variables_cannot_be_read_counts_as_none(running: list[FakeProcess]) -> None:
    running += [FakeProcess(2_000_002, DAEMON), FakeProcess(2_000_003, DAEMON, {})]
    assert find_daemon({}) is None


def test_an_open_transcript_is_found_without_proc(running: list[FakeProcess], tmp_path: Path) -> None:
    """MacOS names an open file as it was opened, which may differ in case or lead through a link (/var)."""
    transcript = tmp_path / "real" / "rollout.jsonl"
    transcript.parent.mkdir()
    transcript.write_text("")
    (tmp_path / "link").symlink_to("real")
    running.append(FakeProcess(2_000_001, ["codex"]))
    assert not is_held_open(transcript)
    running.append(FakeProcess(2_000_002, ["codex"], opened=str(tmp_path / "link" / "rollout.jsonl")))
    assert is_held_open(transcript)


@pytest.mark.parametrize("module", ["background.worker", "background.scheduler", "background.trace_and_send"])
def test_psutil_is_imported_only_where_it_is_asked(module: str) -> None:
    code = f"import sys, infinium_codex.{module}; sys.exit('psutil' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Directories


def test_state_is_in_library_and_the_hooks_home_where_the_command_looks(tmp_path: Path) -> None:
    code = (
        "import sys; sys.platform = 'darwin'; import json, os; from infinium_codex.support.paths import find_places;"
        "places = find_places(os.environ);"
        "print(json.dumps([str(places.data), str(places.state), str(places.origins)]))"
    )
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "XDG_STATE_HOME": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    library = tmp_path / "Library" / "Application Support"
    assert json.loads(done.stdout) == [
        str(tmp_path / ".local" / "share" / "infinium-codex"),
        str(library / "infinium-codex"),
        str(library / "infinium" / "origins.json"),
    ]


def test_a_turn_is_traced_with_the_state_below_a_directory_with_a_space(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    library = machine.home / "Library" / "Application Support"
    machine.environ["XDG_STATE_HOME"] = str(library)
    machine.set_up()
    play_turn(machine)
    assert len(list((library / "infinium-codex" / "local").glob("*.json"))) == 1


def play_turn(machine: Machine) -> None:
    for name, fields in (("UserPromptSubmit", {"prompt": "x"}), ("Stop", {"last_assistant_message": "y"})):
        event = {"session_id": "s-1", "turn_id": "t-1", "hook_event_name": name, "model": "gpt", **fields}
        machine.hook(machine.placed(event, None))
    machine.wait_until_idle()


def test_a_temp_directory_that_was_cleaned_is_made_again(tmp_path: Path) -> None:
    """MacOS removes what was not used for three days from $TMPDIR, directories too. A turn after it is traced."""
    machine = Machine(tmp_path)
    machine.environ["TMPDIR"] = str(machine.tmp / "T") + "/"  # macOS ends it with a slash
    Path(machine.environ["TMPDIR"]).mkdir()
    machine.set_up()
    play_turn(machine)
    shutil.rmtree(spool_directory(machine.environ))
    play_turn(machine)
    assert len(machine.traces()) >= 1
    assert spool_directory(machine.environ).is_dir()
    assert [message for message in machine.errors() if "Traceback" in message] == []


def test_a_project_is_trusted_whatever_the_case_of_its_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file system ignores case, so Codex may have noted the path as somebody typed it."""
    project = tmp_path / "Project"
    project.mkdir()

    def same(one: str | Path, other: str | Path) -> bool:
        return str(one).casefold() == str(other).casefold()

    monkeypatch.setattr(os.path, "samefile", same)
    typed = str(project).upper()
    answer = {"config": {"projects": {typed: {"trust_level": "trusted"}}}, "layers": []}
    codex = CodexProgram(path="codex", version=(0, 169, 0))
    assert codex_settings({}, answer, codex, project).trusted


# Shells: /bin/sh is bash, dash or zsh


@pytest.mark.parametrize(
    "shell", [("bash", "--posix"), ("dash",), ("zsh", "--emulate", "sh")], ids=lambda each: each[0]
)
@pytest.mark.parametrize("installed", [True, False])
def test_every_shell_that_may_be_bin_sh_runs_the_command(
    tmp_path: Path, shell: tuple[str, ...], installed: bool
) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not on PATH")
    machine = Machine(tmp_path / "a 'home'")
    machine.set_up()
    if not installed:
        shutil.rmtree(machine.data)
    event = json.dumps({"session_id": "s-1", "hook_event_name": "PreToolUse"})
    done = machine.execute([*shell, "-c", hook_command("PreToolUse")], stdin=event, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(machine.spools) == installed


# Keychain: an item answers the program that wrote it


def test_the_worker_is_the_interpreter_that_stored_the_secret(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.set_up()
    assert os.path.realpath(machine.worker_command[0]) == os.path.realpath(sys.executable)


def test_doctor_says_which_program_the_keychain_must_allow() -> None:
    report = WorkerReport(python=sys.prefix, reason="denied", hint="Run update-credentials.")
    fix = fix_for_worker(report, "darwin")
    assert f"allow {os.path.realpath(sys.executable)}" in fix
    assert "infinium-connector" in fix
    assert fix_for_worker(report, "linux") == "Run update-credentials."
