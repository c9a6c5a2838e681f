"""The hook, run as Codex runs it: as a program with an event on stdin. Most tests run on both hooks."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from infinium_codex.capture import hook as hook_posix
from infinium_codex.capture import hook_windows
from infinium_codex.capture.frame import PRIME, PROJECT, encode
from infinium_codex.capture.install import FOR_USER, hook_program
from infinium_codex.capture.records import Damage, Record, read_records
from infinium_codex.codex.agent import CODEX
from infinium_codex.support.paths import spool_directory
from infinium_config import find_project
from infinium_config.files import MAX_BYTES, read_small_file

SESSION = "01a20828-75a6-78d1-a88f-1c66e225ea32"


def event(**fields: object) -> bytes:
    return json.dumps({"session_id": SESSION, "hook_event_name": "PreToolUse", **fields}).encode()


class Hook:
    """A hook's home with a worker that only writes down how it was started."""

    def __init__(self, root: Path, program: str = "hook.py") -> None:
        self.program = program
        self.home, self.temp, self.project = root / "hook home", root / "temp", root / "a project"
        for directory in (self.home / "venv" / "bin", self.temp, self.project / ".infinium"):
            directory.mkdir(parents=True)
        (self.home / program).write_bytes(hook_program(CODEX.hooks, program))
        worker = self.home / "venv" / "bin" / "python"
        worker.write_text(
            f"#!/bin/sh\nls -l /proc/self/fd >{root}/fds\n"
            f'printf "%s\\n" "$@" >{root}/started.part\nmv {root}/started.part {root}/started\n'
        )
        worker.chmod(0o755)
        self.started = root / "started"
        self.fds = root / "fds"
        self.configure({"base_url": "local"})

    def configure(self, config: dict[str, object]) -> None:
        (self.project / ".infinium" / "config.json").write_text(json.dumps(config))

    @property
    def environ(self) -> dict[str, str]:
        """Without a wait at the end of a session, also where the tests run in a container."""
        places = {"TMPDIR": str(self.temp), "HOME": str(self.home), "PATH": os.environ["PATH"]}
        return {**places, "CONNECTOR_WAIT_ON_END": "0"}

    def command(self, name: str = "PreToolUse") -> list[str]:
        program = str(self.home / self.program)
        if self.program == "hook.py":
            return [sys.executable, "-I", "-S", program, name]
        # It starts the worker with the interpreter it runs in: here, the one that only notes that.
        run = "runpy.run_path(sys.argv[0], {}, '__main__')"
        code = f"import runpy, sys; del sys.argv[0]; sys.executable = sys.argv.pop(); {run}"
        return [sys.executable, "-I", "-S", "-c", code, program, name, str(self.home / "venv" / "bin" / "python")]

    def run(self, payload: bytes, name: str = "PreToolUse", **more: object) -> subprocess.CompletedProcess[bytes]:
        options = {"cwd": self.project, "env": self.environ} | more
        done = subprocess.run(self.command(name), input=payload, capture_output=True, check=False, **options)  # type: ignore[call-overload]
        assert isinstance(done, subprocess.CompletedProcess)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        return done

    def records(self) -> list[Record | Damage]:
        found: list[Record | Damage] = []
        for path in sorted(self.temp.rglob("*.spool")):
            with path.open("rb") as file:
                found += read_records(file)
        return found

    def payloads(self) -> list[bytes]:
        return [record.payload for record in self.records() if isinstance(record, Record)]


@pytest.fixture(params=["hook.py", "hook_windows.py"])
def hook(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hook]:
    """The hook, and the hook for systems without `posix`: both follow the same rules."""
    hook = Hook(tmp_path, request.param)
    yield hook
    hook.temp.chmod(0o755)


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} was not created"
        time.sleep(0.01)
    return path.read_text()


def test_an_event_is_spooled_as_codex_sent_it_and_nothing_is_printed(hook: Hook) -> None:
    payload = event(prompt="ünïcode \u2028 and \\u001e")
    hook.run(payload, "UserPromptSubmit")
    record = hook.records()[-1]
    assert isinstance(record, Record)
    assert (record.event, record.payload) == ("UserPromptSubmit", payload)
    assert abs(record.at_ms - time.time() * 1000) < 60_000


@pytest.mark.parametrize("hook", ["hook.py"], indirect=True)
def test_a_prompt_is_recorded_with_the_project_it_belongs_to(hook: Hook) -> None:
    """Settings and directory may change before the worker reads the event. Other events need no such record."""
    config = hook.project / ".infinium" / "config.json"
    below = hook.project / "src"
    below.mkdir()
    hook.run(event(), "PreToolUse")
    hook.run(event(), "UserPromptSubmit", cwd=below, env={**hook.environ, "INFINIUM_AGENT_ID": "an id"})
    assert [record.event for record in hook.records() if isinstance(record, Record)] == [
        "PreToolUse",
        PROJECT,
        "UserPromptSubmit",
    ]
    assert hook.payloads()[1] == b"\0".join([os.fsencode(config), b"an id", b"", config.read_bytes()])
    assert hook_posix.PROJECT == PROJECT


def test_only_the_user_can_read_the_spool(hook: Hook) -> None:
    hook.run(event(), umask=0)
    directory = spool_directory(hook.environ)
    assert [path.name for path in directory.iterdir()] == [f"{SESSION}.spool"]
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / f"{SESSION}.spool").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["UserPromptSubmit", "Stop", "Interrupt", "SessionEnd", "SubagentStop"])
def test_prompts_and_ends_start_the_worker_without_codex_descriptors(hook: Hook, name: str) -> None:
    read, write = os.pipe()
    hook.run(event(), name, pass_fds=(write,))
    os.close(write)
    os.close(read)
    started = wait_for(hook.started).splitlines()
    spool = str(spool_directory(hook.environ) / f"{SESSION}.spool")
    without_site = ["-S"] if hook.program == "hook.py" else []
    assert started == ["-I", *without_site, str(hook.home / "worker.py"), spool, name]
    assert "pipe:" not in hook.fds.read_text()


@pytest.mark.parametrize("hook", ["hook.py"], indirect=True)
@pytest.mark.parametrize("variables", [{"CONNECTOR_WAIT_ON_END": "60"}, {"CONNECTOR_WAIT_ON_END": "", "CI": "true"}])
def test_the_end_of_a_session_waits_for_the_worker_where_the_machine_may_end(
    hook: Hook, variables: dict[str, str]
) -> None:
    """The worker is told to wait for other processes, and has ended when the hook ends. No other event waits."""
    hook.run(event(), "SessionEnd", env={**hook.environ, **variables})
    assert hook.started.read_text().splitlines()[-2:] == ["SessionEnd", "wait"]
    hook.started.unlink()
    hook.run(event(), "Stop", env={**hook.environ, **variables})
    assert wait_for(hook.started).splitlines()[-1] == "Stop"


@pytest.mark.parametrize("hook", ["hook.py"], indirect=True)
def test_the_wait_at_the_end_of_a_session_is_bounded(hook: Hook) -> None:
    """A worker that never ends delays the agent by less than its own limit for the hook, and keeps running."""
    worker = hook.home / "venv" / "bin" / "python"
    worker.write_text(f"#!/bin/sh\necho $$ >{hook.started}\nexec sleep 60\n")
    hook.run(event(), "SessionEnd", env={**hook.environ, "CONNECTOR_WAIT_ON_END": "60"}, timeout=20)
    os.kill(int(wait_for(hook.started)), signal.SIGKILL)


def test_a_tool_event_starts_no_worker(hook: Hook) -> None:
    hook.run(event(), "PreToolUse")
    hook.run(event(), "Stop")
    wait_for(hook.started)
    hook.started.unlink()
    hook.run(event(), "PostToolUse")
    assert len(hook.records()) == 3
    assert not hook.started.exists()


def test_a_paused_project_records_nothing(hook: Hook) -> None:
    hook.configure({"base_url": "local", "paused": True})
    hook.run(event(), "Stop")
    assert hook.records() == []
    assert not hook.started.exists()


@pytest.mark.parametrize("text", ['{"paused" :\n true}', '{"a": 1, "paused":true }'])
def test_paused_is_found_in_any_layout_of_the_file(hook: Hook, text: str) -> None:
    (hook.project / ".infinium" / "config.json").write_text(text)
    hook.run(event())
    assert hook.records() == []


@pytest.mark.parametrize("text", ['{"paused": false}', '{"note": "\\"paused\\": true"}', "not json", ""])
def test_anything_else_is_not_paused(hook: Hook, text: str) -> None:
    (hook.project / ".infinium" / "config.json").write_text(text)
    hook.run(event())
    assert len(hook.records()) == 1


def test_a_directory_that_is_no_project_records_nothing_unless_the_environment_names_an_agent(hook: Hook) -> None:
    hook.run(event(), cwd=hook.temp)
    assert hook.records() == []
    hook.run(event(), cwd=hook.temp, env=hook.environ | {"INFINIUM_BASE_URL": "local"})
    assert len(hook.records()) == 1


@pytest.fixture
def checkout(hook: Hook) -> None:
    """Make the project a git checkout with a linked worktree at `../trees/linked`."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(hook.project)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    subprocess.run([*git, "worktree", "add", "-q", str(hook.project.parent / "trees" / "linked")], check=True)


def assert_same_project(hook: Hook, directory: Path, expected: bool, **environ: str) -> None:
    """The hook records in a directory if, and only if, infinium-config finds a project there."""
    before, variables = len(hook.records()), hook.environ | environ
    hook.run(event(), cwd=directory, env=variables)
    recorded = len(hook.records()) > before
    found = find_project(Path(os.path.realpath(directory)), home=Path(variables["HOME"])) is not None
    assert (recorded, found) == (expected, expected)


@pytest.mark.parametrize(
    ("directory", "is_project"),
    [
        ("a project", True),
        ("a project/src/deep", True),
        ("trees/linked", True),
        ("trees/linked/src", True),
        ("trees", False),
        ("hook home", False),
        ("link to project", True),
    ],
)
@pytest.mark.usefixtures("checkout")
def test_hook_and_library_find_the_same_project(hook: Hook, tmp_path: Path, directory: str, is_project: bool) -> None:
    """In subdirectories and linked worktrees too. `.infinium` in the home directory is not a project's."""
    (tmp_path / "link to project").symlink_to(hook.project)
    (hook.home / ".infinium").mkdir()
    (hook.home / ".infinium" / "config.json").write_text('{"base_url": "local"}')
    (tmp_path / directory).mkdir(parents=True, exist_ok=True)
    assert_same_project(hook, tmp_path / directory, is_project)


@pytest.mark.parametrize(
    ("text", "is_worktree"),
    [
        *((text, False) for text in ("", "gitdir:", "gitdir: ../gone", "gitdir: {git}", "gitdir: \0", "gitdir: a\nb")),
        *((text, False) for text in ("something else", "gitdirs {git}/worktrees/linked")),
        ("gitdir: ../a project/.git/worktrees/linked", True),
        ("gitdir:{git}/worktrees/linked\n\n", True),
    ],
)
@pytest.mark.usefixtures("checkout")
def test_hook_and_library_read_a_worktrees_git_file_alike(hook: Hook, text: str, is_worktree: bool) -> None:
    """An invalid one does not hide a project in a directory above it."""
    inside, outside = hook.project / "trees", hook.project.parent / "trees"
    inside.mkdir()
    for directory in (inside, outside):
        (directory / ".git").write_text(text.format(git=hook.project / ".git"))
    assert_same_project(hook, outside, is_worktree)
    assert_same_project(hook, inside, True)


@pytest.mark.parametrize("common", ["", ".", "../..", "/nowhere/.git", "../../../.git", "../../../../trees", "..\0"])
@pytest.mark.usefixtures("checkout")
def test_hook_and_library_read_a_worktrees_common_directory_alike(hook: Hook, common: str) -> None:
    linked = hook.project.parent / "trees" / "linked"
    (hook.project / ".git" / "worktrees" / "linked" / "commondir").write_text(common)
    assert_same_project(hook, linked, common in ("../..", "../../../.git"))


def test_a_home_directory_reached_through_a_link_is_not_a_project(hook: Hook, tmp_path: Path) -> None:
    """Its `.infinium/config.json` holds settings for all projects."""
    (tmp_path / "home").symlink_to(hook.home)
    (hook.home / ".infinium").mkdir()
    (hook.home / ".infinium" / "config.json").write_text('{"redaction": "strict"}')
    assert_same_project(hook, hook.home, False, HOME=str(tmp_path / "home"))


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_link(path: Path) -> None:
    path.with_suffix(".target").write_bytes(b"content")
    path.symlink_to(path.with_suffix(".target"))


@pytest.mark.parametrize("module", [hook_posix, hook_windows])
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        pytest.param(lambda _: None, None, id="missing"),
        pytest.param(lambda path: path.write_bytes(b""), b"", id="empty"),
        pytest.param(lambda path: path.write_bytes(b"content"), b"content", id="regular"),
        pytest.param(lambda path: path.write_bytes(b"x" * MAX_BYTES), b"x" * MAX_BYTES, id="largest"),
        pytest.param(lambda path: path.write_bytes(b"x" * (MAX_BYTES + 1)), None, id="too large"),
        pytest.param(lambda path: path.mkdir(), None, id="directory"),
        pytest.param(make_fifo, None, id="fifo"),
        pytest.param(make_link, None, id="link"),
    ],
)
def test_hook_and_library_read_the_same_small_files(
    module: ModuleType, make: Callable[[Path], object], expected: bytes | None, tmp_path: Path
) -> None:
    make(tmp_path / "file")
    assert module._read_small_file(str(tmp_path / "file")) == read_small_file(tmp_path / "file") == expected


def test_the_record_is_the_frame_that_the_worker_reads(hook: Hook) -> None:
    payload = event(prompt="\x1eI3 Stop 1 2 3 4\n")
    hook.run(payload, "Pre Tool\xffUse")
    [spool] = hook.temp.rglob("*.spool")
    [record] = hook.records()
    assert isinstance(record, Record)
    at, pid = map(int, record.identity.split("-"))
    assert spool.read_bytes() == encode("Pre Tool\xffUse", at, pid, payload)
    assert hook_posix.PRIME == hook_windows.PRIME == PRIME


def test_a_hook_registered_for_the_user_marks_its_records(tmp_path: Path) -> None:
    hook = Hook(tmp_path)
    hook.run(event())
    done = subprocess.run([*hook.command(), FOR_USER], input=event(), cwd=hook.project, env=hook.environ, check=True)
    assert done.returncode == 0
    assert [record.for_user for record in hook.records() if isinstance(record, Record)] == [False, True]


@pytest.mark.parametrize(
    "names", [{"CONNECTOR_SESSION_DIR": "a/b/c"}, {"CONNECTOR_SESSION_DIR": ""}, {"TMPDIR": "temp/"}]
)
def test_hook_and_worker_use_the_same_spool_directory(hook: Hook, tmp_path: Path, names: dict[str, str]) -> None:
    variables = hook.environ | {name: f"{tmp_path}/{value}" if value else "" for name, value in names.items()}
    hook.run(event(), env=variables)
    assert [path.name for path in spool_directory(variables).iterdir()] == [f"{SESSION}.spool"]


@pytest.mark.parametrize(
    "payload", [b"not json", b"\xff\x00\x1eI3 ", b'{"session_id": 7}', b'{"session_id": "../../x"}']
)
def test_an_invalid_payload_is_recorded_too(hook: Hook, payload: bytes) -> None:
    hook.run(payload)
    hook.run(event())
    assert payload in hook.payloads()
    assert event() in hook.payloads()
    assert {path.parent for path in hook.temp.rglob("*.spool")} == {spool_directory(hook.environ)}


def test_a_spool_directory_that_is_a_link_is_refused_and_logged(hook: Hook, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    spool_directory(hook.environ).symlink_to(elsewhere)
    hook.run(event())
    assert list(elsewhere.iterdir()) == []
    assert "not a directory that this user owns" in (hook.home / "hook.errors").read_text()


def test_codex_is_not_affected_by_a_full_disk(hook: Hook) -> None:
    """A file size limit truncates the write, as a full disk does."""
    hook.run(event())
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))"
    code = f"import resource, os, sys; {limit}; os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", code, *hook.command()]
    done = subprocess.run(
        command, input=event(x="y" * 900), capture_output=True, cwd=hook.project, env=hook.environ, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    hook.run(event(last=True))
    assert hook.payloads() == [event(), event(last=True)]
    assert any(isinstance(record, Damage) for record in hook.records())


def test_events_of_many_hooks_at_once_stay_whole(hook: Hook) -> None:
    payloads = [event(number=number, output="o" * 64_000) for number in range(32)]
    running = []
    for payload in payloads:
        process = subprocess.Popen(hook.command(), stdin=subprocess.PIPE, cwd=hook.project, env=hook.environ)
        running.append((process, payload))
    for process, payload in running:
        process.communicate(payload)
    assert sorted(hook.payloads()) == sorted(payloads)


def test_a_hook_killed_while_it_reads_does_not_affect_other_events(hook: Hook) -> None:
    hook.run(event(number=1))
    with subprocess.Popen(hook.command(), stdin=subprocess.PIPE, cwd=hook.project, env=hook.environ) as process:
        assert process.stdin
        process.stdin.write(event(number=2)[:20])
        process.stdin.flush()
        process.send_signal(signal.SIGKILL)
    hook.run(event(number=3))
    assert hook.payloads() == [event(number=1), event(number=3)]


@pytest.mark.parametrize("hook", ["hook.py"], indirect=True)
def test_the_hook_loads_nothing_the_interpreter_has_not_loaded(hook: Hook) -> None:
    code = (
        "import sys; before = set(sys.modules);"
        "exec(compile(open(sys.argv[1]).read().rpartition('main(sys.argv')[0], 'hook', 'exec'), {});"
        "print(*sorted(set(sys.modules) - before))"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(hook.home / "hook.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_hooks_without_atomic_appends_write_one_at_a_time(tmp_path: Path) -> None:
    """Four processes append to one spool. Without the lock file some would overwrite the records of others."""
    spool = tmp_path / "s.spool"
    code = (
        "import sys; from infinium_codex.capture.hook_windows import _append;"
        "[_append(sys.argv[1], sys.argv[2].encode() * 200 + b'\\n') for _ in range(2000)]"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(spool), letter]) for letter in "abcd"]
    assert [process.wait() for process in running] == [0, 0, 0, 0]
    lines = spool.read_bytes().splitlines()
    assert sorted(lines) == sorted(letter * 200 for letter in (b"a", b"b", b"c", b"d") for _ in range(2000))


@pytest.mark.parametrize("hook", ["hook_windows.py"], indirect=True)
def test_the_lock_file_of_a_killed_hook_is_taken_over(hook: Hook) -> None:
    hook.run(event(number=1))
    lock = spool_directory(hook.environ) / f"{SESSION}.spool.busy"
    lock.touch()
    hook.run(event(number=2))
    assert hook.payloads() == [event(number=1), event(number=2)]
    assert not lock.exists()


def test_the_command_line_runs_the_installed_hook(hook: Hook) -> None:
    """`infinium-codex hook Event`, as Codex runs it on Windows."""
    data = hook.home / ".local" / "share" / "infinium-codex"
    data.mkdir(parents=True)
    command = [sys.executable, "-m", "infinium_codex.cli", "hook", "PreToolUse"]

    def run() -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command, input=event(), capture_output=True, cwd=hook.project, env=hook.environ, check=True
        )

    silent = run()
    assert (silent.stdout, silent.stderr, hook.payloads()) == (b"", b"", [])
    (data / "hook.py").write_bytes((hook.home / hook.program).read_bytes())
    done = run()
    assert (done.stdout, done.stderr, hook.payloads()) == (b"", b"", [event()])
