"""The hook, run as Codex runs it: as a program with an event on stdin.

The same tests run on both hooks: on POSIX systems on `hook.py`, on Windows on `hook_windows.py`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from infinium_codex.capture.frame import PRIME, PROJECT, encode
from infinium_codex.capture.hook_command import FOR_USER
from infinium_codex.capture.install import HOOK_MODULES, hook_program
from infinium_codex.capture.records import Damage, Record, read_records
from infinium_codex.codex.agent import CODEX
from infinium_codex.support.paths import spool_directory
from infinium_config import find_project, load
from infinium_config.files import MAX_BYTES, long_path, read_small_file

HOOK_MODULE = HOOK_MODULES[-1]
module = import_module(f"infinium_codex.capture.{HOOK_MODULE.removesuffix('.py')}")
project_module = import_module(f"infinium_codex.capture.{HOOK_MODULES[0].removesuffix('.py')}")
on_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such thing")
HOME = "USERPROFILE" if os.name == "nt" else "HOME"
SESSION = "01a20828-75a6-78d1-a88f-1c66e225ea32"


def event(**fields: object) -> bytes:
    return json.dumps({"session_id": SESSION, "hook_event_name": "PreToolUse", **fields}).encode()


class Hook:
    """A hook's home with a worker that only writes down how it was started."""

    def __init__(self, root: Path) -> None:
        self.home, self.temp, self.project = root / "hook home", root / "temp", root / "a project"
        for directory in (self.home / "venv" / "bin", self.temp, self.project / ".infinium"):
            directory.mkdir(parents=True)
        (self.home / HOOK_MODULE).write_bytes(hook_program(CODEX.hooks))
        self.started, self.fds = root / "started", root / "fds"
        if os.name == "nt":
            part = str(root / "started.part")
            note = f"open({part!r}, 'w').write(''.join(each + '\\n' for each in ('-I', '-S', *sys.argv)))"
            (self.home / "worker.py").write_text(
                f"import nt, sys\n{note}\nnt.rename({part!r}, {str(self.started)!r})\n"
            )
        else:
            worker = self.home / "venv" / "bin" / "python"
            worker.write_text(
                f"#!/bin/sh\nls -l /proc/self/fd >{root}/fds\n"
                f'printf "%s\\n" "$@" >{root}/started.part\nmv {root}/started.part {root}/started\n'
            )
            worker.chmod(0o755)
        self.configure({"base_url": "local"})

    def configure(self, config: dict[str, object]) -> None:
        (self.project / ".infinium" / "config.json").write_text(json.dumps(config))

    @property
    def environ(self) -> dict[str, str]:
        """Without a wait at the end of a session, also where the tests run in a container."""
        temp = "TEMP" if os.name == "nt" else "TMPDIR"
        places = {HOME: str(self.home), temp: str(self.temp), "PATH": os.environ["PATH"]}
        system = {"SYSTEMROOT": os.environ["SYSTEMROOT"]} if os.name == "nt" else {}
        return {**places, **system, "CONNECTOR_WAIT_ON_END": "0"}

    def command(self, name: str = "PreToolUse") -> list[str]:
        launcher = ("launcher",) if os.name == "nt" else ()
        return [sys.executable, "-I", "-S", str(self.home / HOOK_MODULE), *launcher, name]

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


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Hook]:
    """The hook of this system."""
    hook = Hook(tmp_path)
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
    assert module.PROJECT == PROJECT


@pytest.mark.parametrize(
    ("content", "recorded"),
    [
        ('{"agent_secret": "s3cret", "base_url": "local"}', b'{"base_url": "local"}'),
        ('{"\\u0061gent_secret": "s3cret", "agent_secret": "s3cret"}', b"{}"),
        ('{"agent_secret": "s3cret"', b""),
        ('{"redact_patterns": ["\\u0041"]}', b'{"redact_patterns": ["\\u0041"]}'),
        ("not json", b"not json"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_secret_in_the_project_file_is_not_recorded(hook: Hook, content: str, recorded: bytes, encoding: str) -> None:
    """The project file must not have one, but a user may put it there."""
    if encoding == "utf-16" and b"s3cret" not in content.encode():
        recorded = content.encode(encoding) if content.startswith("{") else b""
    (hook.project / ".infinium" / "config.json").write_text(content, encoding)
    hook.run(event(), "UserPromptSubmit")
    assert hook.payloads()[0].split(b"\0", 3)[3] == recorded
    assert b"s3cret" not in b"".join(path.read_bytes() for path in hook.temp.rglob("*.spool"))


@on_posix
def test_only_the_user_can_read_the_spool(hook: Hook) -> None:
    hook.run(event(), umask=0)
    directory = spool_directory(hook.environ)
    assert [path.name for path in directory.iterdir()] == [f"{SESSION}.spool"]
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / f"{SESSION}.spool").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["UserPromptSubmit", "Stop", "Interrupt", "SessionEnd", "SubagentStop"])
def test_prompts_and_ends_start_the_worker_without_codex_descriptors(hook: Hook, name: str) -> None:
    read, write = os.pipe()
    hook.run(event(), name, **({} if os.name == "nt" else {"pass_fds": (write,)}))
    os.close(write)
    os.close(read)
    started = wait_for(hook.started).splitlines()
    spool = str(spool_directory(hook.environ) / f"{SESSION}.spool")
    assert started == ["-I", "-S", str(hook.home / "worker.py"), spool, name]
    assert os.name == "nt" or "pipe:" not in hook.fds.read_text()


@on_posix
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


@on_posix
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
    hook.run(event(prompt="private"), "Stop")
    assert hook.records() == []
    assert not hook.started.exists()
    assert [path for path in hook.temp.rglob("*") if path.is_file() and b"private" in path.read_bytes()] == []


PAUSED = [
    '{"paused" :\n true}',
    '{"a": 1, "paused":true }',
    '{"\\u0070aused": true}',
    '{"paused": false, "paused": true}',
    '{"vendor": {"paused": false}, "paused": true}',
    '{"redact_patterns": ["a{3}"], "paused": true}',
    '\ufeff{"paused": true}',
]
NOT_PAUSED = [
    '{"paused": false}',
    '{"paused": null}',
    '{"note": "\\"paused\\": true"}',
    '{"vendor": {"paused": true}}',
    '{"vendor": [{"paused": true}], "paused": false}',
    '{"paused": true, "paused": false}',
    '{"paused": true, "\\u0070aused": false}',
    '{"word": "paused", "x": true}',
    "{}",
]


@pytest.mark.parametrize(
    ("text", "paused"), [*((text, True) for text in PAUSED), *((text, False) for text in NOT_PAUSED)]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_hook_and_settings_agree_on_what_is_paused(hook: Hook, text: str, encoding: str, *, paused: bool) -> None:
    """In any JSON: nested, escaped, with a key twice, in any encoding of JSON."""
    text = text.removeprefix("\ufeff") if encoding == "utf-16" else text
    (hook.project / ".infinium" / "config.json").write_text(text, encoding)
    hook.run(event())
    assert load(hook.project, hook.environ, home=hook.home).paused.value is paused
    assert bool(hook.records()) is not paused


@pytest.mark.parametrize("text", ["not json", "", '{"paused": 1}', "[" * 9999, '["paused", true]'])
def test_an_invalid_file_is_not_paused(hook: Hook, text: str) -> None:
    """The worker tells about it, and traces what was recorded once the file is corrected."""
    (hook.project / ".infinium" / "config.json").write_text(text)
    hook.run(event())
    assert len(hook.records()) == 1


OTHER_USER = 54_321


def give_away(*paths: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a file to another user")
    for path in paths:
        os.chown(path, OTHER_USER, OTHER_USER, follow_symlinks=False)


@on_posix
@pytest.mark.parametrize("name", [".infinium", ".infinium/config.json"])
def test_hook_and_library_do_not_obey_another_users_project(hook: Hook, name: str) -> None:
    """As in a sticky `/tmp` or on a shared disk, where anyone can put a file above a project. Root's is obeyed."""
    below = hook.project / "src"
    below.mkdir()
    give_away(hook.project / name)
    assert_same_project(hook, below, False)
    (hook.home / ".infinium").mkdir()
    for config in ({"safe_directories": [str(hook.project.parent)]}, {"safe_directories": 7}, {}):
        (hook.home / ".infinium" / "config.json").write_text(json.dumps(config))
        assert_same_project(hook, below, False)


@on_posix
def test_a_project_of_another_user_can_be_allowed(hook: Hook, tmp_path: Path) -> None:
    """By the user's own file, which may be a link to a directory of dot files, by a variable, or by `sudo`."""
    give_away(hook.project / ".infinium" / "config.json")
    for value in ("*", f"/nowhere:{hook.project}/"):
        assert_same_project(hook, hook.project, True, CONNECTOR_SAFE_DIRECTORIES=value)
    assert_same_project(hook, hook.project, False, CONNECTOR_SAFE_DIRECTORIES=str(hook.project / "src"))
    (hook.home / ".infinium").mkdir()
    (tmp_path / "dots.json").write_text(json.dumps({"safe_directories": [str(hook.project)]}))
    (hook.home / ".infinium" / "config.json").symlink_to(tmp_path / "dots.json")
    assert_same_project(hook, hook.project, True)


@on_posix
def test_under_sudo_the_files_of_the_user_are_obeyed(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    give_away(hook.project / ".infinium" / "config.json")
    monkeypatch.setenv("SUDO_UID", str(OTHER_USER))
    assert_same_project(hook, hook.project, True, SUDO_UID=str(OTHER_USER))


def test_a_directory_that_is_no_project_records_nothing_unless_the_environment_names_an_agent(hook: Hook) -> None:
    hook.run(event(), cwd=hook.temp)
    assert hook.records() == []
    hook.run(event(), cwd=hook.temp, env=hook.environ | {"INFINIUM_BASE_URL": "local"})
    assert len(hook.records()) == 1


@pytest.mark.parametrize("name", [".infinium", ".infinium/config.json"])
def test_hook_and_library_follow_no_link_to_a_project_file(hook: Hook, tmp_path: Path, name: str) -> None:
    """It can lead to the settings of another project. The project above is then used, if there is one."""
    linked = hook.project / "src"
    (linked / ".infinium").mkdir(parents=True)
    target = tmp_path / "elsewhere" / name
    target.parent.mkdir(parents=True)
    (hook.project / name).rename(target)
    target.parent.mkdir(exist_ok=True)
    (linked / ".infinium").rmdir()
    if name != ".infinium":
        (linked / ".infinium").mkdir()
    make_link_to(linked / name, target)
    assert_same_project(hook, linked, False)
    (hook.project / ".infinium").mkdir(exist_ok=True)
    hook.configure({"base_url": "local", "agent_id": "above"})
    assert_same_project(hook, linked, True)
    hook.run(event(), "UserPromptSubmit", cwd=linked)
    assert hook.payloads()[-2].split(b"\0")[0] == os.fsencode(hook.project / ".infinium" / "config.json")


@pytest.fixture
def checkout(hook: Hook) -> None:
    """Make the project a git checkout with a linked worktree at `../trees/linked`."""
    if shutil.which("git") is None:
        pytest.skip("git is not on PATH")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(hook.project)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    subprocess.run([*git, "worktree", "add", "-q", str(hook.project.parent / "trees" / "linked")], check=True)


def assert_same_project(hook: Hook, directory: Path, expected: bool, **environ: str) -> None:
    """The hook records in a directory if, and only if, infinium-config finds a project there."""
    before, variables = len(hook.records()), hook.environ | environ
    hook.run(event(), cwd=directory, env=variables)
    recorded = len(hook.records()) > before
    start, home = Path(os.path.realpath(directory)), Path(variables[HOME])
    found = find_project(start, home=home, environ=variables) is not None
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
    if directory == "link to project":
        make_link_to(tmp_path / "link to project", hook.project)
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
    make_link_to(tmp_path / "home", hook.home)
    (hook.home / ".infinium").mkdir()
    (hook.home / ".infinium" / "config.json").write_text('{"redaction": "strict"}')
    assert_same_project(hook, hook.home, False, **{HOME: str(tmp_path / "home")})


def make_fifo(path: Path) -> None:
    if os.name == "nt":
        pytest.skip("Windows has no FIFOs")
    os.mkfifo(path)


def make_link(path: Path) -> None:
    path.with_suffix(".target").write_bytes(b"content")
    make_link_to(path, path.with_suffix(".target"))


def make_link_to(path: Path, target: Path) -> None:
    """Make a link. Windows lets few users do so, and Wine reports success without one."""
    try:
        path.symlink_to(target, target_is_directory=target.is_dir())
    except OSError as error:
        pytest.skip(f"no links: {error}")
    if not path.is_symlink():
        pytest.skip("Wine makes no links")


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
    make: Callable[[Path], object], expected: bytes | None, tmp_path: Path
) -> None:
    make(tmp_path / "file")
    own = getattr(project_module, "_read_small_file" if os.name == "nt" else "read_small_file")
    assert own(str(tmp_path / "file")) == read_small_file(tmp_path / "file") == expected


def test_the_record_is_the_frame_that_the_worker_reads(hook: Hook) -> None:
    """On Windows a space ends the event's name."""
    name = "PreTool\xffUse" if os.name == "nt" else "Pre Tool\xffUse"
    payload = event(prompt="\x1eI3 Stop 1 2 3 4\n")
    hook.run(payload, name)
    [spool] = hook.temp.rglob("*.spool")
    [record] = hook.records()
    assert isinstance(record, Record)
    at, pid = map(int, record.identity.split("-"))
    assert spool.read_bytes() == encode(name, at, pid, payload)
    assert module.PRIME == PRIME


def test_a_hook_registered_for_the_user_marks_its_records(tmp_path: Path) -> None:
    hook = Hook(tmp_path)
    hook.run(event())
    done = subprocess.run([*hook.command(), FOR_USER], input=event(), cwd=hook.project, env=hook.environ, check=True)
    assert done.returncode == 0
    assert [record.for_user for record in hook.records() if isinstance(record, Record)] == [False, True]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"CONNECTOR_SESSION_DIR": "{root}/a/b/c"}, "{root}/a/b/c"),
        ({"CONNECTOR_SESSION_DIR": ""}, "{root}/temp"),
        ({"CONNECTOR_SESSION_DIR": "~/spools"}, "{root}/hook home/spools"),
        ({"CONNECTOR_SESSION_DIR": "~"}, "{root}/hook home"),
        ({"CONNECTOR_SESSION_DIR": "relative/spools"}, "{root}/temp"),
        ({"CONNECTOR_SESSION_DIR": "~root/spools"}, "{root}/temp"),
        ({"CONNECTOR_SESSION_DIR": "/no-such-directory-at-the-root"}, "{root}/temp"),
        ({"TMPDIR": "{root}/temp/"}, "{root}/temp"),
        ({"TMPDIR": "", "TMP": "{root}/temp"}, "{root}/temp"),
        ({"TMPDIR": "relative", "TEMP": "{root}/temp", "TMP": "{root}"}, "{root}/temp"),
        ({"TMPDIR": "{root}/not/there", "TEMP": "{root}/temp"}, "{root}/temp"),
        ({"TMPDIR": "{root}/hook home/hook.py", "TEMP": "{root}/temp"}, "{root}/temp"),
    ],
)
def test_hook_and_worker_use_the_same_spool_directory(
    hook: Hook, tmp_path: Path, names: dict[str, str], expected: str
) -> None:
    """A relative path means another directory in each process, so it is not used. None is created at the root."""
    variables = hook.environ | {name: value.format(root=tmp_path) for name, value in names.items()}
    at_root = sorted(Path(tmp_path.anchor).iterdir())
    found = spool_directory(variables, hook.home)
    assert found.parent == Path(expected.format(root=tmp_path))
    for number in range(2):
        hook.run(event(number=number), env=variables, cwd=hook.project)
    assert spool_directory(variables, hook.home) == found
    assert [path.name for path in found.iterdir()] == [f"{SESSION}.spool"]
    assert sorted(Path(tmp_path.anchor).iterdir()) == at_root
    assert list(hook.project.glob("relative*")) == []


@on_posix
@pytest.mark.parametrize("umask", [0, 0o777])
def test_spools_can_be_written_again_whatever_the_umask(hook: Hook, tmp_path: Path, umask: int) -> None:
    """Root may write anything, so the modes are compared."""
    variables = hook.environ | {"CONNECTOR_SESSION_DIR": f"{tmp_path}/a/b"}
    hook.run(event(), env=variables, umask=umask)
    directory = spool_directory(variables, hook.home)
    modes = [path.stat().st_mode & 0o777 for path in (directory.parent, directory, directory / f"{SESSION}.spool")]
    assert modes == [0o700, 0o700, 0o600]


@pytest.mark.parametrize(
    "payload", [b"not json", b"\xff\x00\x1eI3 ", b'{"session_id": 7}', b'{"session_id": "../../x"}']
)
def test_an_invalid_payload_is_recorded_too(hook: Hook, payload: bytes) -> None:
    hook.run(payload)
    hook.run(event())
    assert payload in hook.payloads()
    assert event() in hook.payloads()
    assert {path.parent for path in hook.temp.rglob("*.spool")} == {spool_directory(hook.environ)}


def squat_link(path: Path) -> None:
    (path.parent / "elsewhere").mkdir()
    path.symlink_to(path.parent / "elsewhere")


def squat_directory(path: Path) -> None:
    path.mkdir(0o777)
    give_away(path)


@on_posix
@pytest.mark.parametrize("squat", [squat_link, Path.touch, squat_directory])
def test_a_spool_directory_that_another_user_has_taken_has_a_private_fallback(
    hook: Hook, squat: Callable[[Path], None]
) -> None:
    """Anyone can create a name in a shared temp directory. Nothing is written there."""
    taken = spool_directory(hook.environ, hook.home)
    squat(taken)
    hook.run(event())
    fallback = spool_directory(hook.environ, hook.home)
    assert fallback == hook.home / taken.name
    assert fallback.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in fallback.iterdir()] == [f"{SESSION}.spool"]
    assert [path for path in hook.temp.rglob("*") if path.name.endswith(".spool")] == []


def test_with_the_connector_gone_the_hook_stops_recording_after_a_bounded_amount(hook: Hook) -> None:
    """No worker traces and removes the spools. Once one does, recording goes on with the next turn."""
    hook.run(event(number=1), "UserPromptSubmit")
    other = spool_directory(hook.environ, hook.home) / "other.spool"
    with other.open("wb") as file:
        file.truncate(module.MAX_SPOOLED_BYTES)
    for number, name in enumerate(("PreToolUse", "UserPromptSubmit", "PreToolUse", "Stop"), 2):
        hook.run(event(number=number), name)
    other.unlink()
    for number, name in ((6, "PostToolUse"), (7, "UserPromptSubmit"), (8, "Stop")):
        hook.run(event(number=number), name)
    recorded = [payload for payload in hook.payloads() if payload.startswith(b"{")]
    assert recorded == [event(number=number) for number in (1, 2, 7, 8)]


@on_posix
@pytest.mark.parametrize(
    "paths",
    [("a/" * 200_000 + "../" * 150_000, ".."), ("/x" * 300_000, "../.."), ("worktrees/w", "a/../" * 200_000)],
    ids=["many parts and back", "deep", "common directory"],
)
def test_long_paths_in_a_checkout_take_no_time(hook: Hook, paths: tuple[str, str]) -> None:
    """The system accepts 4 KiB, so a longer one is ignored. Work that grows with its square would exceed the limit."""
    link, common = paths
    checkout = hook.project / "checkout"
    (checkout / "worktrees" / "w").mkdir(parents=True)
    (checkout / ".git").write_text(f"gitdir: {link}")
    (checkout / "worktrees" / "w" / "commondir").write_text(common)

    def limit() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (5, 5))

    hook.run(event(), cwd=checkout, preexec_fn=limit)
    assert hook.payloads() == [event()]
    code = "import infinium_config, sys; print(infinium_config.find_project().root)"
    command = [sys.executable, "-c", code]
    found = subprocess.run(
        command, cwd=checkout, env=hook.environ, preexec_fn=limit, capture_output=True, text=True, check=True
    )
    assert found.stdout == f"{hook.project}\n"


@on_posix
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
        process.kill()
    hook.run(event(number=3))
    assert hook.payloads() == [event(number=1), event(number=3)]


def test_the_hook_loads_nothing_the_interpreter_has_not_loaded(hook: Hook) -> None:
    code = (
        "import sys; before = set(sys.modules);"
        "exec(compile(open(sys.argv[1], encoding='utf-8').read().rpartition('main(sys.argv')[0], 'hook', 'exec'), {});"
        "print(*sorted(set(sys.modules) - before))"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(hook.home / HOOK_MODULE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    built_in = ["_winapi", "msvcrt"] if os.name == "nt" else []  # parts of Python's own library on Windows
    assert done.stdout.split() == built_in


def test_concurrent_hooks_do_not_overwrite_records(tmp_path: Path) -> None:
    """Four processes append to one spool."""
    spool = tmp_path / "s.spool"
    append = "_append" if os.name == "nt" else "append_record"
    code = (
        f"import sys; from {module.__name__} import {append} as append;"
        "[append(sys.argv[1], sys.argv[2].encode() * 200 + b'\\n') for _ in range(500)]"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(spool), letter]) for letter in "abcd"]
    assert [process.wait() for process in running] == [0, 0, 0, 0]
    lines = spool.read_bytes().splitlines()
    assert sorted(lines) == sorted(letter * 200 for letter in (b"a", b"b", b"c", b"d") for _ in range(500))


@pytest.mark.skipif(os.name != "nt", reason="other systems have one form of a path")
@pytest.mark.parametrize("start", ["C:\\a b\\", "\\\\server\\share\\"])
def test_hook_and_library_use_the_same_long_form_of_a_path(start: str) -> None:
    for path in (start, f"{start}{'x' * 300}"):
        assert module._long(path) == long_path(path)
