"""A home with the connector in it, and a Codex that consists of its hook calls and its transcript."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from recorded import Recording

T = TypeVar("T")
DROPPED = ("INFINIUM_", "CONNECTOR_", "CODEX_", "XDG_", "DBUS_")
WAIT_SECONDS = 30.0


class Machine:
    """Everything below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home, self.tmp = root / "home", root / "tmp"
        self.project = self.home / "a project"
        for path in (self.home, self.tmp, self.project / ".git"):
            path.mkdir(parents=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
        programs = [
            directory for directory in kept["PATH"].split(os.pathsep) if not (Path(directory) / "codex").exists()
        ]
        self.environ = kept | {"HOME": str(self.home), "TMPDIR": str(self.tmp), "PATH": os.pathsep.join(programs)}
        self.commands: dict[str, str] = {}
        self.python = sys.executable
        """The interpreter of the environment the connector is installed in."""
        self.prefix: list[str] = []
        """What every command here is started through, `nsenter …` for instance."""

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
        """Spool files with something in them."""
        return [path for path in self.tmp.rglob("*.spool") if path.stat().st_size]

    def files(self) -> dict[Path, int]:
        """Every file of the user's, and its time of modification in nanoseconds."""
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

    def run(
        self, *arguments: str, stdin: str = "", environ: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`infinium-codex` with these arguments."""
        return subprocess.run(
            [*self.prefix, self.python, "-m", "infinium_codex.cli", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=cwd or self.project,
            env={**self.environ, **(environ or {})},
            timeout=60,
            check=False,
        )

    def json(self, *arguments: str) -> dict[str, Any]:
        """What a command prints with `--json`."""
        found = json.loads(self.run(*arguments, "--json").stdout)
        assert isinstance(found, dict)
        return found

    def set_up(self, *arguments: str) -> None:
        """`init --local`."""
        done = self.run("init", "--local", "--no-interactive", *arguments)
        assert done.returncode == 0, done.stderr
        self.read_hooks()

    def read_hooks(self) -> None:
        """Note the hook commands `init` registered."""
        groups = json.loads(self.hooks.read_text("utf-8"))["hooks"]
        self.commands = {event: found[0]["hooks"][0]["command"] for event, found in groups.items()}

    def hook(self, payload: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> None:
        """Run the hook as Codex does: through a shell, in the project; it must be silent and succeed."""
        done = subprocess.run(
            [*self.prefix, "sh", "-c", self.commands[payload["hook_event_name"]]],
            input=json.dumps(payload).encode(),
            capture_output=True,
            cwd=self.project,
            env={**self.environ, **(environ or {})},
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

    def play(self, recording: Recording, environ: Mapping[str, str] | None = None) -> Path | None:
        """Play a recording's hooks here; gives the transcript they name."""
        transcript = None
        if recording.transcript.exists():
            transcript = self.home / "transcript.jsonl"
            shutil.copy(recording.transcript, transcript)
        for _, payload in recording.hook_events():
            self.hook(self.placed(payload, transcript), environ)
        return transcript

    def placed(self, payload: Mapping[str, Any], transcript: Path | None) -> dict[str, Any]:
        """A recorded payload with this machine's paths."""
        path = str(transcript) if transcript else None
        return {**payload, "cwd": str(self.project), "transcript_path": path}

    def wait_until_idle(self) -> None:
        """Wait until no worker runs here. A process has no name yet for a moment after its start, so look twice."""
        deadline = time.monotonic() + WAIT_SECONDS
        idle = 0
        while idle < 2:
            assert time.monotonic() < deadline, "a worker goes on and on"
            idle = 0 if self._workers() else idle + 1
            time.sleep(0.03)

    def traces(self) -> list[dict[str, Any]]:
        """The local traces, oldest first."""
        self.wait_until_idle()
        found = sorted((self.state / "local").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [json.loads(path.read_bytes()) for path in found]

    def errors(self) -> list[str]:
        """What `errors` lists, newest first."""
        return [error["message"] for error in self.json("errors")["errors"]]

    @property
    def worker_command(self) -> list[str]:
        """The worker as the hook starts it; a spool is its argument."""
        return [str(self.data / "venv" / "bin" / "python"), "-I", "-S", str(self.data / "worker.py")]

    def _workers(self) -> bool:
        return any(processes(b"infinium-codex/worker.py", self.root)) or any(
            processes(b"infinium_codex.background.maintenance", self.root)
        )

    @property
    def timers(self) -> list[int]:
        """The timers that run here."""
        return list(processes(b"infinium_codex.background.scheduler", self.root))

    def wait_for(self, find: Callable[[], T], what: str) -> T:
        """Wait until `find` gives something, and give it."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not (found := find()):
            assert time.monotonic() < deadline, f"waited in vain for {what}; errors: {self.errors()}"
            time.sleep(0.05)
        return found

    def wait_for_traces(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many local traces, however they come about."""
        self.wait_for(lambda: len(self.traces()) >= count, f"{count} traces")
        return self.traces()


def processes(mark: bytes, root: Path) -> Iterator[int]:
    """Processes whose command line has both."""
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                arguments = (directory / "cmdline").read_bytes()
            except OSError:
                continue  # ended meanwhile
            if mark in arguments and os.fsencode(root) in arguments:
                yield int(directory.name)


def end_timers(root: Path) -> None:
    """End the timers below `root`: what they wait for is the test's no more."""
    for pid in processes(b"infinium_codex.background.scheduler", root):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
