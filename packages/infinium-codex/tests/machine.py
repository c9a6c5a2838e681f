"""A machine for tests: a home, a project and a temp directory below one directory, with the connector set up in it.

Unit tests play Codex's hook calls on it. The end-to-end tests add the real Codex, the fault tests an account of every
turn, the benchmarks measure the commands it gives.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from infinium_codex.capture.hook_command import COMPILED, SCRIPT, SOURCE
from infinium_codex.support.paths import spool_directory
from recorded import Recording

T = TypeVar("T")
DROPPED = ("INFINIUM_", "CONNECTOR_", "CODEX_", "XDG_", "DBUS_", "PIP", "VIRTUAL_ENV", "PYTHON")
"""Variables of the person who runs the tests that must not reach a test, by the start of their name."""
WAIT_SECONDS = 60.0
COMMAND_SECONDS = 120.0
SCHEDULER = "infinium_codex.background.scheduler"
WORKERS = ("infinium-codex/worker.py", "infinium_codex.background.maintenance")
"""Marks in the command line of processes that end by themselves when their work is done."""


class Machine:
    """Everything is below `root`. Nothing outside of it is written, and no variable of the real user is inherited."""

    def __init__(self, root: Path, *, project: str = "a project", program: Sequence[str] = ()) -> None:
        self.root = root
        self.home, self.tmp = root / "home", root / "tmp"
        self.project = self.home / project
        for path in (self.home, self.tmp, self.project / ".git"):
            path.mkdir(parents=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
        places = [place for place in inherited["PATH"].split(os.pathsep) if not (Path(place) / "codex").exists()]
        self.environ = inherited | {"HOME": str(self.home), "TMPDIR": str(self.tmp), "PATH": os.pathsep.join(places)}
        self.program = list(program) or [sys.executable, "-m", "infinium_codex.cli"]
        """The command `infinium-codex`."""
        self.commands: dict[str, str] = {}
        """The registered hook command of each event, after `read_hooks`."""
        self.prefix: list[str] = []
        """A command through which all others are started, for example `nsenter …`."""

    @property
    def codex_home(self) -> Path:
        """Codex's own directory."""
        return self.home / ".codex"

    @property
    def data(self) -> Path:
        """The hook's home."""
        return self.home / ".local" / "share" / "infinium-codex"

    @property
    def state(self) -> Path:
        """The connector's state directory."""
        return self.home / ".local" / "state" / "infinium-codex"

    @property
    def config(self) -> Path:
        """The project file."""
        return self.project / ".infinium" / "config.json"

    @property
    def hooks(self) -> Path:
        """The project's hooks."""
        return self.project / ".codex" / "hooks.json"

    @property
    def spools(self) -> list[Path]:
        """The spools that are not empty."""
        return [path for path in self.tmp.rglob("*.spool") if path.stat().st_size]

    def spool(self, session: str) -> Path:
        """The spool of a session."""
        return spool_directory(self.environ) / f"{session}.spool"

    def contents(self) -> dict[Path, bytes]:
        """The content of every regular file on the machine."""
        files = (path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink())
        return {path: path.read_bytes() for path in files}

    def modification_times(self) -> dict[Path, int]:
        """When each file of the user was written, in nanoseconds; links, FIFOs and the like included."""
        found = [path for place in (self.home, self.tmp) for path in place.rglob("*")]
        return {path: path.lstat().st_mtime_ns for path in found if not path.is_dir()}

    def edit_hooks(self, edit: Callable[[dict[str, Any]], object]) -> None:
        """Edit hooks.json as a user would."""
        document = json.loads(self.hooks.read_text("utf-8"))
        edit(document)
        self.hooks.write_text(json.dumps(document), "utf-8")

    def edit_config(self, **values: object) -> None:
        """Change values of the project file."""
        self.config.write_text(json.dumps(json.loads(self.config.read_text("utf-8")) | values), "utf-8")

    def execute(
        self,
        command: Sequence[str],
        *,
        stdin: str = "",
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = COMMAND_SECONDS,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the project, with `environ` added to the machine's; with `check` it must succeed."""
        done = subprocess.run(
            [*self.prefix, *command],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            cwd=cwd or self.project,
            env={**self.environ, **(environ or {})},
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def run(
        self, *arguments: str, stdin: str = "", environ: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `infinium-codex` with these arguments, whatever its exit code."""
        return self.execute([*self.program, *arguments], stdin=stdin, environ=environ, cwd=cwd, check=False)

    def must_run(self, *arguments: str, environ: Mapping[str, str] | None = None) -> str:
        """Run `infinium-codex`, which must succeed; returns its output, stderr included."""
        done = self.execute([*self.program, *arguments], environ=environ)
        return done.stdout + done.stderr

    def json(self, *arguments: str, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Run `infinium-codex … --json` and return the document it printed."""
        found = json.loads(self.run(*arguments, "--json", environ=environ).stdout)
        assert isinstance(found, dict)
        return found

    def set_up(self, *arguments: str) -> None:
        """Run `init --local`, with more arguments, and read the hooks it registered."""
        self.must_run("init", "--local", "--no-interactive", *arguments)
        self.settle_config()
        self.read_hooks()

    def settle_config(self) -> None:
        """Let the project file be a minute old: the shell records no events in the first seconds after a change."""
        for path in (self.config, self.config.parent):
            if path.exists():
                os.utime(path, (time.time() - 60,) * 2)

    def read_hooks(self) -> None:
        """Read the commands that are registered in hooks.json."""
        self.commands = {event: handler["command"] for event, handler in self.handlers().items()}

    def handlers(self) -> dict[str, dict[str, Any]]:
        """The first handler in hooks.json for each event."""
        groups = json.loads(self.hooks.read_text("utf-8"))["hooks"]
        return {event: found[0]["hooks"][0] for event, found in groups.items()}

    def hook(self, payload: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> None:
        """Run the hook as Codex does: through a shell, in the project. It must print nothing and succeed."""
        command = ["sh", "-c", self.commands[payload["hook_event_name"]]]
        done = self.execute(command, stdin=json.dumps(payload), environ=environ, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    @contextmanager
    def idle_hooks(self) -> Iterator[None]:
        """Hooks that start no worker while the block runs: their home has a program in its place that does nothing."""
        home = self.data.parent.parent / "idle" / self.data.name
        if not home.exists():
            (home / "venv" / "bin").mkdir(parents=True)
            for program in (SOURCE, COMPILED, SCRIPT):
                if (self.data / program).exists():  # Windows has no script
                    shutil.copy(self.data / program, home)
            (home / "python").symlink_to((self.data / "python").readlink())
            (home / "venv" / "bin" / "python").symlink_to(shutil.which("true") or "/bin/true")
        commands = self.commands
        self.commands = {name: text.replace(".local/share/", ".local/idle/") for name, text in commands.items()}
        try:
            yield
        finally:
            self.commands = commands

    def play(self, recording: Recording, environ: Mapping[str, str] | None = None) -> Path | None:
        """Run the hooks of a recording; returns the transcript they name, if the recording has one."""
        transcript = None
        if recording.transcript.exists():
            transcript = self.home / "transcript.jsonl"
            shutil.copy(recording.transcript, transcript)
        for _, payload in recording.hook_events():
            self.hook(self.placed(payload, transcript), environ)
        return transcript

    def placed(self, payload: Mapping[str, Any], transcript: Path | None) -> dict[str, Any]:
        """A payload with this machine's project and transcript."""
        path = str(transcript) if transcript else None
        return {**payload, "cwd": str(self.project), "transcript_path": path}

    def wait_until_idle(self) -> None:
        """Wait until no worker runs. A process has no command line right after its start, so look twice."""
        for _ in range(2):
            wait_for(lambda: not processes(self.root, *WORKERS), "the workers to end")
            time.sleep(0.03)

    def traces(self) -> list[dict[str, Any]]:
        """The local traces, oldest first."""
        self.wait_until_idle()
        found = sorted((self.state / "local").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [json.loads(path.read_bytes()) for path in found]

    def errors(self) -> list[str]:
        """The messages that `errors` lists, newest first."""
        return [error["message"] for error in self.json("errors")["errors"]]

    @property
    def worker_command(self) -> list[str]:
        """The command of the worker as the hook starts it, without its argument, the spool."""
        return [str(self.data / "venv" / "bin" / "python"), "-I", "-S", str(self.data / "worker.py")]

    @property
    def schedulers(self) -> list[int]:
        """The schedulers that run here."""
        return processes(self.root, SCHEDULER)

    def wait_for(self, find: Callable[[], T], what: str) -> T:
        """Wait until `find` returns something true, and return it."""
        try:
            return wait_for(find, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; errors: {self.errors()}") from None

    def wait_for_traces(self, count: int) -> list[dict[str, Any]]:
        """Wait for this many local traces."""
        self.wait_for(lambda: len(self.traces()) >= count, f"{count} traces")
        return self.traces()


def wait_for(find: Callable[[], T], what: str) -> T:
    """Wait until `find` returns something true, and return it; fails after `WAIT_SECONDS`."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := find()):
        assert time.monotonic() < deadline, f"waited {WAIT_SECONDS:.0f} s for {what}"
        time.sleep(0.03)
    return found


def processes(root: Path, *marks: str) -> list[int]:
    """The processes with `root` and one of the marks in their command line."""
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            with suppress(OSError):  # the process has ended meanwhile
                arguments = os.fsdecode((directory / "cmdline").read_bytes())
                if str(root) in arguments and any(mark in arguments for mark in marks):
                    found.append(int(directory.name))
    return found


def end_processes(root: Path, *marks: str) -> None:
    """Kill processes of a machine until none is left: one that ends may just have started the next."""

    def kill() -> bool:
        found = processes(root, *marks)
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not found

    wait_for(kill, f"processes of {root} to end")


def end_background(root: Path) -> None:
    """Kill the connector's workers and schedulers."""
    end_processes(root, SCHEDULER, *WORKERS)
