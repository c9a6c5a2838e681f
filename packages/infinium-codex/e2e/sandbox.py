"""A user's machine in a directory: an empty home, a project, a temp directory, the real Codex and our own program."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from infinium_codex.codex.app_server import AppServer
from infinium_codex.codex.program import find_codex
from infinium_codex.codex.trust import trust_ours
from infinium_codex.demo.scripted_model import ScriptedModel, codex_config

T = TypeVar("T")
WAIT_SECONDS = 40.0
_DROPPED = ("INFINIUM_", "CONNECTOR_", "CODEX_", "XDG_", "DBUS_")


class Sandbox:
    """Everything below `root`; nothing of the real home is read or written."""

    def __init__(self, root: Path, codex_directory: Path | None, version: str) -> None:
        self.root, self.version = root, version
        self.home, self.tmp = root / "home", root / "tmp"
        self.project = self.home / "project"
        self.codex_home = self.home / ".codex"
        for directory in (self.codex_home, self.tmp, self.project):
            directory.mkdir(parents=True)
        path = [str(Path(sys.executable).parent), os.environ["PATH"]]
        if codex_directory is not None:
            path.insert(0, str(codex_directory))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_DROPPED)}
        self.environ = kept | {"HOME": str(self.home), "TMPDIR": str(self.tmp), "PATH": os.pathsep.join(path)}
        self.run(["git", "init", "-q", "-b", "trunk"])

    @property
    def config_toml(self) -> Path:
        """Codex's configuration."""
        return self.codex_home / "config.toml"

    @property
    def state(self) -> Path:
        """The connector's state directory."""
        return self.home / ".local" / "state" / "infinium-codex"

    def configure_codex(self, model: ScriptedModel, first: str = "", last: str = "") -> None:
        """Write Codex's config.toml as a user has it: with comments."""
        text = codex_config(model.base_url, str(self.project), self.version)
        self.config_toml.write_text(f"# mine, keep it\n{first}{text}{last}", "utf-8")

    def run(
        self, command: list[str], environ: Mapping[str, str] | None = None, *, check: bool = True, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the project."""
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.project,
            env={**self.environ, **(environ or {})},
            timeout=120,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{command[:3]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def connector(self, *arguments: str, environ: Mapping[str, str] | None = None, check: bool = True) -> str:
        """Run `infinium-codex`; gives what it printed, errors too."""
        done = self.run(["infinium-codex", *arguments], environ, check=check)
        return done.stdout + done.stderr

    def connector_json(self, *arguments: str, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Run `infinium-codex … --json` and read what it printed."""
        done = self.run(["infinium-codex", *arguments, "--json"], environ, check=False)
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    def codex_exec(self, *arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """One `codex exec` turn, no questions asked."""
        command = ["codex", "exec", "--dangerously-bypass-approvals-and-sandbox", *arguments]
        return self.run(command, environ)

    def transcripts(self) -> list[Path]:
        """Codex's transcripts, oldest first."""
        return sorted((self.codex_home / "sessions").rglob("*.jsonl"))

    def spools(self) -> list[Path]:
        """The connector's spools of events."""
        return list(self.tmp.rglob("*.spool"))

    def measured_turn_ms(self) -> int | tuple[int, int]:
        """How long Codex says its only turn took; where its version does not say, what its records allow."""
        records = [json.loads(line) for line in self.transcripts()[0].read_text("utf-8").splitlines()]
        events = [record for record in records if record["type"] == "event_msg"]
        ended = next(record for record in events if record["payload"]["type"] == "task_complete")
        if "duration_ms" in ended["payload"]:
            return int(ended["payload"]["duration_ms"])
        started = next(record for record in events if record["payload"]["type"] == "task_started")
        elapsed = datetime.fromisoformat(ended["timestamp"]) - datetime.fromisoformat(started["timestamp"])
        longest = round(elapsed.total_seconds() * 1000)
        return longest - 50, longest

    def trust_all_hooks(self) -> None:
        """Trust every hook of the project, as a user does in Codex's own screen."""
        codex = find_codex(self.environ)
        assert codex is not None
        with AppServer(codex, self.project, self.environ) as server:
            trust_ours(server.list_hooks(self.project).hooks, lambda _: True).write(server)

    def user_files(self) -> list[Path]:
        """What belongs to the user and init writes to."""
        places = (self.config_toml, self.project / ".infinium" / "config.json", self.project / ".codex" / "hooks.json")
        return [path for path in places if path.exists()]

    def files(self) -> list[Path]:
        """Every file there is."""
        return [path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink()]

    def end_programs(self, word: str) -> None:
        """End the processes started in this sandbox that have this word among their arguments."""
        for pid in self._running(word):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def workers(self) -> list[int]:
        """Processes of the connector's that run in this sandbox."""
        return self._running("infinium_codex.")

    def _running(self, word: str) -> list[int]:
        found = []
        for directory in Path("/proc").iterdir():
            if directory.name.isdigit():
                try:
                    arguments = (directory / "cmdline").read_bytes()
                except OSError:
                    continue  # ended meanwhile, or somebody else's
                if os.fsencode(word) in arguments and os.fsencode(self.root) in arguments:
                    found.append(int(directory.name))
        return found

    def wait_until_idle(self) -> None:
        """Wait until no worker runs. A process has no name yet for a moment after its start, so look twice."""
        for _ in range(2):
            wait_for(lambda: not self.workers(), "the workers to end")
            time.sleep(0.05)


def wait_for(find: Callable[[], T], what: str, seconds: float = WAIT_SECONDS) -> T:
    """Wait until `find` gives something, and give it."""
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.05)
    return found
