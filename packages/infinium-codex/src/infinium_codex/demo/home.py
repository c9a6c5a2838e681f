"""The demo's temporary home directory, and one turn in it.

The turn takes the path of a user's own turn: `init --local` sets up an empty project; the commands it wrote into
hooks.json run with the events of a recorded session, or the real Codex runs them with a scripted model; the trace is
read from the local destination. Nothing outside the temporary directory is read or written.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from infinium_codex.codex.program import COMMAND_FIELD, CodexProgram, shell_command
from infinium_codex.support.json_fields import mapping, parse_object, text

WAIT_SECONDS = 30.0
POLL_SECONDS = 0.1
MAX_ERROR_CHARACTERS = 2_000


class DemoError(Exception):
    """A step of the demo failed; the message has the step and its output."""


class DemoHome:
    """An empty home directory with an empty project below `root`."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.home, self.project = root / "home", root / "home" / "project"
        self.codex_home = self.home / ".codex"
        for path in (self.codex_home, self.project / ".git", root / "tmp"):
            path.mkdir(parents=True)
        own = ("INFINIUM_", "CONNECTOR_", "CODEX_", "XDG_")
        self.environ = {name: value for name, value in environ.items() if not name.startswith(own)}
        self.environ |= {
            "HOME": str(self.home),
            "CODEX_HOME": str(self.codex_home),
            "TMPDIR": str(root / "tmp"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "CONNECTOR_SESSION_TTL": "1",  # the scheduler ends when the session has timed out
        }
        if sys.platform == "win32":
            self.environ |= _windows_variables(root, self.home, self.environ)

    def connector(self, *arguments: str) -> str:
        """Run `infinium-codex` in this home and return its output."""
        return self.run([sys.executable, "-m", "infinium_codex.cli", *arguments])

    def run(self, command: list[str], stdin: bytes = b"") -> str:
        """Run a program in the project and return its output. Raises DemoError where it fails."""
        done = subprocess.run(
            command, input=stdin, capture_output=True, cwd=self.project, env=self.environ, check=False, timeout=120
        )
        if done.returncode != 0:
            output = (done.stderr or done.stdout).decode("utf-8", "replace").strip()[-MAX_ERROR_CHARACTERS:]
            raise DemoError(f"'{' '.join(command[:4])} …' failed with exit code {done.returncode}: {output}")
        return done.stdout.decode("utf-8", "replace")

    def hook_commands(self) -> dict[str, str]:
        """The command that `init` registered, by event."""
        hooks = mapping(parse_object((self.project / ".codex" / "hooks.json").read_bytes()) or {}, "hooks")
        commands = {}
        for event, groups in hooks.items():
            if isinstance(groups, list) and groups and isinstance(groups[0], dict):
                commands[event] = text(groups[0]["hooks"][0], COMMAND_FIELD) or ""
        return commands

    def wait_for_trace(self) -> tuple[str, Mapping[str, object]]:
        """Wait for a trace in the local destination; returns its key and what `show` tells of it as JSON."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            traces = (parse_object(self.connector("history", "--json")) or {}).get("traces")
            if isinstance(traces, list) and traces:
                key = text(traces[0], "key") or ""
                return key, parse_object(self.connector("show", key, "--json")) or {}
            time.sleep(POLL_SECONDS)
        raise DemoError(f"No trace arrived within {WAIT_SECONDS:.0f} seconds.")


def _windows_variables(root: Path, home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that lead a program on Windows into the home, and a PATH on which `init` writes the launcher."""
    programs, local = root / "bin", home / "AppData" / "Local"
    for directory in (programs, local):
        directory.mkdir(parents=True)
    path = environ.get("PATH", "")
    if found := shutil.which("infinium-codex.exe", path=path):
        shutil.copy(found, programs)  # `init` writes the launcher beside it
    temp = str(root / "tmp")
    places = {"USERPROFILE": str(home), "LOCALAPPDATA": str(local), "TEMP": temp, "TMP": temp}
    return places | {"PATH": os.pathsep.join([str(programs), path])}


def play_recording(home: DemoHome) -> str:
    """Run the registered hook commands with the events of a recorded session; returns a title for the trace."""
    home.connector("init", "--local", "--no-interactive", "--no-trust")
    commands = home.hook_commands()
    recording = resources.files("infinium_codex.demo") / "recording"
    events, transcript, about = (
        _with_paths((recording / name).read_text("utf-8"), home)
        for name in ("events.jsonl", "transcript.jsonl", "recording.json")
    )
    path = _transcript_path(home, transcript)
    path.parent.mkdir(parents=True)
    path.write_text(_shift_to_now(transcript.splitlines()), "utf-8")
    for line in events.splitlines():
        payload = json.loads(line)["payload"] | {"transcript_path": str(path)}
        home.run(shell_command(commands[payload["hook_event_name"]]), json.dumps(payload).encode())
    return f"A recorded session of Codex {json.loads(about)['codex']}"


def run_codex(home: DemoHome, codex: CodexProgram) -> str:
    """Run one turn of the real Codex with a scripted model; returns a title for the trace."""
    from infinium_codex.demo.scripted_model import DEMO_PROMPT, ScriptedModel, codex_config, demo_turn

    with ScriptedModel(demo_turn()) as model:
        config = home.codex_home / "config.toml"
        config.write_text(codex_config(model.base_url, str(home.project), codex.version_text), "utf-8")
        home.connector("init", "--local", "--no-interactive", "--trust")
        home.run([codex.path, "exec", "--dangerously-bypass-approvals-and-sandbox", DEMO_PROMPT])
    return f"A turn of the real Codex {codex.version_text}"


def _with_paths(recorded: str, home: DemoHome) -> str:
    """Replace the recording's paths by the home's, written as JSON texts have them."""
    project, above = (json.dumps(str(path), ensure_ascii=False)[1:-1] for path in (home.project, home.home))
    return recorded.replace("/home/dev/project", project).replace("/home/dev", above)


def _transcript_path(home: DemoHome, transcript: str) -> Path:
    """Where Codex would keep this transcript."""
    meta = mapping(parse_object(transcript.partition("\n")[0]) or {}, "payload")
    now = datetime.now(UTC)
    return home.codex_home / f"sessions/{now:%Y/%m/%d}" / f"rollout-{now:%Y-%m-%dT%H-%M-%S}-{text(meta, 'id')}.jsonl"


def _shift_to_now(lines: list[str]) -> str:
    """Shift the transcript's times so that it begins now, as the hooks' times do."""
    records = [json.loads(line) for line in lines]
    times = [datetime.fromisoformat(record["timestamp"]) for record in records]
    shift = datetime.now(UTC) - times[0]
    for record, when in zip(records, times, strict=True):
        record["timestamp"] = (when + shift).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for name in ("started_at_ms", "completed_at_ms"):
            if name in record["payload"]:
                record["payload"][name] += round(shift.total_seconds() * 1000)
    return "".join(f"{json.dumps(record)}\n" for record in records)
