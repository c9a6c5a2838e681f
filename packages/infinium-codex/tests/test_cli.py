"""The command line: help, results, errors in two lines, JSON."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_codex import FakeCodex
from infinium_codex.version import VERSION
from machine import Machine
from syrupy.assertion import SnapshotAssertion

pytest_plugins = ["no_leftovers"]

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
COMMANDS = (
    *("init", "uninstall", "status", "pause", "resume", "history", "show", "errors", "retry", "demo"),
    *("update-credentials", "test", "cleanup", "managed-config", "doctor", "completion", "logs", "config"),
)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def placeless(machine: Machine, text: str) -> str:
    """Replace this run's directory in a text."""
    return text.replace(str(machine.root), "<root>")


@pytest.mark.parametrize(
    "arguments", [(), *((command,) for command in COMMANDS)], ids=lambda given: "-".join(given) or "-"
)
def test_help(machine: Machine, arguments: tuple[str, ...], snapshot: SnapshotAssertion) -> None:
    done = machine.run(*arguments, "--help", environ={"COLUMNS": "100", "NO_COLOR": "1"})
    assert done.returncode == 0
    assert done.stdout == snapshot


def test_unknown_command(machine: Machine, snapshot: SnapshotAssertion) -> None:
    done = machine.run("nonsense", environ={"COLUMNS": "100", "NO_COLOR": "1"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == snapshot


def test_help_imports_no_command() -> None:
    """Commands are imported when they are called, so the help does not get slower with each command."""
    code = (
        "import atexit, sys; from infinium_codex.cli import main;"
        "atexit.register(lambda: print([name for name in sys.modules if name.startswith('infinium_codex.commands')]));"
        "sys.argv = ['infinium-codex', '--help']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "update-credentials" in done.stdout
    assert done.stdout.endswith("\n[]\n")


def test_completion_for_powershell_has_the_commands_of_a_group(machine: Machine) -> None:
    script = machine.run("completion", "powershell").stdout
    assert "'queue' = @('--all', " in script
    assert "'drop', 'list')" in script
    assert "--ctx" not in script


@pytest.mark.parametrize(
    ("shell", "check"), [("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"])]
)
def test_completion_script_is_valid(machine: Machine, tmp_path: Path, shell: str, check: list[str]) -> None:
    done = machine.run("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert "update-credentials" in done.stdout
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on PATH to read it")
    script = tmp_path / "script"
    script.write_text(done.stdout)
    assert subprocess.run([*check, str(script)], capture_output=True, check=False).stderr == b""


def test_bash_completes_a_command(machine: Machine, tmp_path: Path) -> None:
    """Complete `infinium-codex upd` as bash does on Tab."""
    (tmp_path / "script").write_text(machine.run("completion", "bash").stdout)
    line = (
        f"source '{tmp_path}/script'; COMP_WORDS=(infinium-codex upd); COMP_CWORD=1; COMP_LINE='infinium-codex upd';"
        "COMP_POINT=18; function=$(complete -p infinium-codex | sed 's/.*-F \\([^ ]*\\).*/\\1/');"
        "$function infinium-codex upd infinium-codex;"
        'echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "update-credentials"


def test_output_is_plain_text_and_progress_goes_to_stderr(machine: Machine) -> None:
    """CONNECTOR_QUIET turns progress off and nothing else; what is not a terminal gets no escape sequences."""
    for quiet in ("", "true"):
        environ = {"CONNECTOR_QUIET": quiet}
        done = machine.run("init", "--local", "--no-interactive", environ=environ)
        assert done.stdout.startswith("Project    ")
        assert done.stderr == ("" if quiet else "Writing the settings and the hooks …\n")
        assert "queued" in machine.run("status", environ=environ).stdout
        failed = machine.run("show", "nothing", environ=environ)
        assert failed.stdout == ""
        assert failed.stderr.startswith("No trace has a key")
        for arguments in (("status",), ("history",), ("--help",), ("init", "--help"), ("nonsense",)):
            shown = machine.run(*arguments, environ=environ)
            assert "\x1b" not in shown.stdout + shown.stderr


def test_version(machine: Machine) -> None:
    assert machine.run("--version").stdout.strip() == VERSION


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_imports_nothing_heavy(command: str) -> None:
    """Libraries that only the command itself needs are imported when it runs."""
    code = (
        "import atexit, sys; from infinium_codex.cli import main;"
        "heavy = ('niquests', 'keyring', 'structlog', 'rich.markdown', 'http.server', 'jinja2', 'markdown_it');"
        "atexit.register(lambda: print([name for name in heavy if name in sys.modules]));"
        "sys.argv = ['infinium-codex', sys.argv[1], '--help']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code, command], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n[]\n")


def test_error_is_two_lines_or_json(machine: Machine, snapshot: SnapshotAssertion) -> None:
    done = machine.run("pause")
    assert (done.returncode, done.stdout) == (1, "")
    assert placeless(machine, done.stderr) == snapshot
    as_json = machine.json("pause")
    assert {name: as_json[name] for name in ("schema", "ok", "exit_code")} == {"schema": 1, "ok": False, "exit_code": 1}
    assert set(as_json) == {"schema", "ok", "exit_code", "error", "hint"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("init", "--no-interactive"),
        ("init", "--no-interactive", "--agent-id", "me"),
        ("init", "--no-interactive", "--base-url", "ftp://x", "--agent-id", AGENT),
        ("init", "--no-interactive", "--agent-id", AGENT, "--agent-secret", ""),
        ("show", "abc"),
        ("uninstall",),
    ],
    ids=" ".join,
)
def test_error_message(machine: Machine, arguments: tuple[str, ...], snapshot: SnapshotAssertion) -> None:
    if arguments == ("uninstall",):
        machine.set_up()
    done = machine.run(*arguments)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert placeless(machine, done.stderr) == snapshot


def test_init_is_idempotent_byte_for_byte(machine: Machine) -> None:
    machine.must_run("init", "--local", "--no-interactive", "--gitignore")
    files = [path for path in machine.home.rglob("*") if path.is_file()]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    machine.must_run("init", "--local", "--no-interactive", "--gitignore")
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files} == before


def test_init_report_and_project_file(machine: Machine, snapshot: SnapshotAssertion) -> None:
    done = machine.run("init", "--no-interactive", "--local")
    assert placeless(machine, done.stdout) == snapshot
    assert machine.config.stat().st_mode & 0o777 == 0o600
    assert json.loads(machine.config.read_text()) == {
        "base_url": "local",
        "flush_on_stop": True,
        "flush_on_session_end": False,
    }


def test_init_keeps_existing_settings(machine: Machine) -> None:
    """A second run changes only what its options say, and keeps keys of other connectors."""
    machine.set_up("--granularity", "both")
    file = json.loads(machine.config.read_text()) | {"claude": {"x": 1}, "paused": True}
    machine.config.write_text(json.dumps(file))
    machine.set_up()
    assert json.loads(machine.config.read_text()) == file


def test_init_does_not_change_an_invalid_hooks_file(machine: Machine, snapshot: SnapshotAssertion) -> None:
    machine.hooks.parent.mkdir()
    machine.hooks.write_text('{"hooks": {')
    done = machine.run("init", "--local", "--no-interactive")
    assert done.returncode == 1
    assert placeless(machine, done.stderr) == snapshot
    assert machine.hooks.read_text() == '{"hooks": {'
    assert not machine.config.exists()


def test_address_of_the_project_file_needs_approval(machine: Machine, snapshot: SnapshotAssertion) -> None:
    """A cloned repository must not get the secret by configuring its own address."""
    machine.config.parent.mkdir()
    machine.config.write_text(json.dumps({"agent_id": AGENT, "base_url": "https://elsewhere.example/v1"}))
    environ = {"INFINIUM_AGENT_SECRET": "sesame"}
    done = machine.run("init", "--no-interactive", environ=environ)
    assert done.returncode == 2
    assert placeless(machine, done.stderr) == snapshot
    assert "is not approved" in machine.run("status", environ=environ).stdout
    said = machine.run("init", "--no-interactive", "--base-url", "https://elsewhere.example/v1", environ=environ)
    assert said.returncode == 0
    assert "is not approved" not in machine.run("status", environ=environ).stdout


def test_init_without_a_keyring(machine: Machine) -> None:
    """The report says how the worker gets the secret, and no file contains it."""
    environ = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    done = machine.run(
        "init", "--no-interactive", "--agent-id", AGENT, "--agent-secret", "-", stdin="sesame-4711\n", environ=environ
    )
    assert done.returncode == 1
    assert "Set INFINIUM_AGENT_SECRET in the environment Codex runs in" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Incomplete the agent's secret was not found")
    files = [path for path in machine.root.rglob("*") if path.is_file()]
    assert [path for path in files if b"sesame-4711" in path.read_bytes()] == []


def test_init_with_the_secret_in_the_environment(machine: Machine) -> None:
    """A CI job has no keyring: the secret of its environment is enough."""
    environ = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring", "INFINIUM_AGENT_SECRET": "sesame-4711"}
    done = machine.run("init", "--no-interactive", "--agent-id", AGENT, environ=environ)
    assert (done.returncode, "from INFINIUM_AGENT_SECRET" in done.stdout) == (0, True)


def test_init_with_everything_in_the_environment(machine: Machine) -> None:
    """As the README's CI job has it. The user's own environment approves the address for the agent's secret."""
    address = "https://traces.example/v1"
    environ = {
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "INFINIUM_AGENT_ID": AGENT,
        "INFINIUM_AGENT_SECRET": "sesame-4711",
        "INFINIUM_BASE_URL": address,
    }
    done = machine.run("init", "--no-interactive", environ=environ)
    assert (done.returncode, "from INFINIUM_AGENT_SECRET" in done.stdout) == (0, True), done.stderr
    file = json.loads(machine.config.read_text())
    assert (file["agent_id"], file["base_url"]) == (AGENT, address)
    wrong = machine.run("init", "--no-interactive", environ={**environ, "INFINIUM_AGENT_ID": "me"})
    assert (wrong.returncode, "Invalid INFINIUM_AGENT_ID" in wrong.stderr) == (2, True)


def test_init_trusts_its_hooks_where_nobody_can_be_asked(machine: Machine) -> None:
    """Without a terminal `init` trusts its own hooks, and fails where Codex still will not run them."""
    machine.set_up()
    codex = FakeCodex(machine)
    codex.list_hooks(trust="untrusted")

    def trusted() -> bool:
        return any(request.get("method") == "config/batchWrite" for request in codex.asked)

    done = machine.run("init", "--no-interactive", "--local", "--no-trust")
    assert (done.returncode, trusted()) == (0, False)
    assert "will NOT run" in done.stdout
    done = machine.run("init", "--no-interactive", "--local")
    assert (done.returncode, trusted()) == (1, True)
    assert done.stdout.splitlines()[-1].startswith("Incomplete Codex will not run all hooks")
    codex.list_hooks()
    assert machine.run("init", "--no-interactive", "--local").returncode == 0


def test_status(machine: Machine, snapshot: SnapshotAssertion) -> None:
    machine.set_up()
    assert placeless(machine, machine.run("status", environ={"INFINIUM_TIMEOUT": "abc"}).stdout) == snapshot


def test_uninstall_keeps_other_hooks(machine: Machine) -> None:
    machine.hooks.parent.mkdir()
    users = '{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "mine"}]}]}}'
    machine.hooks.write_text(users)
    machine.set_up()
    assert machine.run("uninstall", "--yes").returncode == 0
    assert json.loads(machine.hooks.read_text()) == json.loads(users)
    assert not machine.config.parent.exists()
    assert "nothing to remove" in machine.run("uninstall", "--yes").stdout


def test_hooks_work_from_any_directory_and_with_any_path_variable(machine: Machine) -> None:
    """A desktop app starts Codex with its own PATH; a user may start it in a subdirectory."""
    machine.set_up()
    below = machine.project / "sub" / "dir"
    below.mkdir(parents=True)
    for name in ("UserPromptSubmit", "Stop"):
        payload = {
            "session_id": "s",
            "turn_id": "t",
            "hook_event_name": name,
            "cwd": str(below),
            "prompt": "from below",
        }
        done = subprocess.run(
            ["/bin/sh", "-c", machine.commands[name]],
            input=json.dumps(payload).encode(),
            capture_output=True,
            cwd=below,
            env={"HOME": str(machine.home), "TMPDIR": str(machine.tmp), "PATH": "/nowhere"},
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert [trace["input_summary"] for trace in machine.traces()] == ["from below"]
